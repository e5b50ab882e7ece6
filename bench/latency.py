"""Runs a program in the watched cgroup and waits for its alert in the API, COUNT times.

usage: latency.py URL CA TOKEN_FILE CGROUP COUNT
The start is the kernel's own time of the exec (event_time of the alert), the end is the moment this
client has the alert's JSON in its hands: server-sent event, then GET.
"""
import datetime, http.client, json, os, shutil, ssl, sys, tempfile, threading, time, queue
from urllib.parse import urlparse

url, ca, token_file, cgroup, count = sys.argv[1:5] + [int(sys.argv[5])]
host = urlparse(url).netloc
context = ssl.create_default_context(cafile=ca)
token = open(token_file).read().strip()
headers = {"Authorization": "Bearer " + token}
changed = queue.Queue()


def follow():
    c = http.client.HTTPSConnection(host, context=context, timeout=60)
    c.request("GET", "/api/v1/stream", headers={**headers, "Accept": "text/event-stream"})
    answer = c.getresponse()
    for line in answer:
        if line.startswith(b"data:") and b'"alert"' in line:
            changed.put(json.loads(line[5:])["id"])
        elif line.startswith(b"event: hello"):
            changed.put("hello")


threading.Thread(target=follow, daemon=True).start()
if changed.get(timeout=20) != "hello":
    sys.exit("the stream does not begin with hello")
api = http.client.HTTPSConnection(host, context=context, timeout=20)


def get(path):
    api.request("GET", path, headers=headers)
    r = api.getresponse()
    body = r.read()
    if r.status != 200:
        sys.exit(f"GET {path}: {r.status} {body[:200]!r}")
    return json.loads(body)


def ns(text):
    t = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return int(t.timestamp() * 1000) * 1_000_000


folder = tempfile.mkdtemp(prefix="hm-latency-", dir="/tmp")
latencies = []
try:
    program = os.path.join(folder, "payload")
    shutil.copy("/bin/true", program)
    for i in range(count):
        time.sleep(0.02 + (i * 37 % 100) / 1000)
        pid = os.fork()
        if pid == 0:
            with open(os.path.join(cgroup, "cgroup.procs"), "w") as f:
                f.write("0")
            os.execv(program, ["payload", str(i)])
        deadline, found = time.monotonic() + 10, None
        while not found:
            try:
                alert = get("/api/v1/alerts/" + changed.get(timeout=max(0.01, deadline - time.monotonic())))
            except queue.Empty:
                sys.exit(f"no alert for program {i} within 10 s")
            if alert["process"]["pid"] == pid:
                found = (time.time_ns() - ns(alert["event_time"])) / 1e6
        os.waitpid(pid, 0)
        latencies.append(found)
finally:
    shutil.rmtree(folder)

latencies.sort()
for name, share, budget in (("alert_p50_ms", 0.50, 100), ("alert_p99_ms", 0.99, 500)):
    value = latencies[min(len(latencies) - 1, int(len(latencies) * share))]
    print(json.dumps({"bench": "latency", "metric": name, "value": round(value, 1), "unit": "ms", "better": "lower",
                      "budget": budget, "ok": value < budget, "count": len(latencies), "worst": round(latencies[-1], 1),
                      "peer": None, "peer_value": None}))
