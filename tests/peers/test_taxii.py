"""Our TAXII 2.1 client against the OASIS reference server: discovery, API root, basic authentication, pages,
added_after, revoked objects; and what we keep is valid STIX for the OASIS validator. Runs the real server."""
import base64, json, os, pathlib, shutil, socket, ssl, subprocess, sys, tempfile, time, urllib.request, uuid

top = pathlib.Path(__file__).resolve().parents[2]
if os.geteuid() != 0:
    sys.exit("this needs root: every role of the server gets a uid of its own")
work = pathlib.Path(tempfile.mkdtemp(prefix="hinomi-taxii-"))
work.chmod(0o711)
COLLECTION = "91a7b528-80eb-42ed-a74d-c6fbd5a26116"
running = []


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def indicator(n, **more):
    o = {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_URL, str(n))}",
         "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "name": f"address {n}",
         "indicator_types": ["malicious-activity"], "pattern": f"[ipv4-addr:value = '203.0.113.{n}']",
         "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z"}
    o.update(more)
    return o


def manifest(o, second):
    return {"id": o["id"], "date_added": f"2026-01-02T00:00:{second:02d}.000000Z", "version": o["modified"],
            "media_type": "application/stix+json;version=2.1"}


def until(what, seconds, check):
    end = time.time() + seconds
    while time.time() < end:
        r = check()
        if r:
            print("ok", what)
            return r
        time.sleep(0.2)
    sys.exit(f"not within {seconds} s: {what}: {json.dumps(source())}")


def hinomi(*args):
    r = subprocess.run([top / "build/hinomi", *args], capture_output=True, text=True, env={**os.environ, "HINOMI_STATE": str(work)})
    assert r.returncode == 0, (args, r.stdout, r.stderr)
    return r.stdout


def source(name="oasis"):
    return next((s for s in json.loads(hinomi("content", "source", "list", "--json"))["items"] if s["name"] == name), {})


try:
    # the peer
    objects = [indicator(n) for n in range(1, 51)]
    taxii = port()
    data = {"/discovery": {"title": "t", "default": f"http://127.0.0.1:{taxii}/api/",
                           "api_roots": [f"http://127.0.0.1:{taxii}/empty/", f"http://127.0.0.1:{taxii}/api/"]},
            "empty": {"information": {"title": "nothing here", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625},
                      "status": [], "collections": []},
            "api": {"information": {"title": "t", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625},
                    "status": [], "collections": [{"id": COLLECTION, "title": "c", "can_read": True, "can_write": True,
                                                   "media_types": ["application/stix+json;version=2.1"],
                                                   "objects": objects, "manifest": [manifest(o, i) for i, o in enumerate(objects)]}]}}
    (work / "data.json").write_text(json.dumps(data))
    (work / "config.json").write_text(json.dumps({
        "backend": {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": str(work / "data.json")},
        "users": {"reader": "secret"}, "taxii": {"max_page_size": 20}}))
    peer = pathlib.Path(sys.executable).parent / "medallion"
    running.append(subprocess.Popen([peer, "--port", str(taxii), "--log-level", "DEBUG", str(work / "config.json")],
                                    stdout=open(work / "peer.log", "w"), stderr=subprocess.STDOUT))

    # ours
    agents, web = port(), port()
    (work / "server.conf").write_text(f"agents_listen=127.0.0.1:{agents}\nconsole_listen=127.0.0.1:{web}\nrules={top}/rules\n")
    common = ["--state", str(work / "server"), "--config", str(work / "server.conf")]
    subprocess.run([top / "build/hinomi-server", "init", *common, "--json"], check=True, stdout=subprocess.DEVNULL)
    running.append(subprocess.Popen([top / "build/hinomi-server", "run", *common], stderr=open(work / "server.log", "w")))
    context = ssl.create_default_context(cafile=str(work / "server/signer/ca.crt"))

    def peer_up():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", taxii)) == 0

    def healthy():
        try:
            return urllib.request.urlopen(f"https://127.0.0.1:{web}/healthz", context=context).status == 200
        except OSError:
            return False
    end = time.time() + 20
    while not (peer_up() and healthy()) and time.time() < end:
        time.sleep(0.2)

    (work / "secret").write_text("secret\n")
    (work / "wrong").write_text("wrong\n")
    where = ["--kind", "taxii", "--url", f"http://127.0.0.1:{taxii}/taxii2/", "--collection", COLLECTION, "--private", "--user", "reader"]
    hinomi("content", "source", "add", "oasis", *where, "--secret-file", str(work / "wrong"))
    until("wrong credentials are told", 20, lambda: "credentials" in source().get("error", ""))
    hinomi("content", "source", "add", "oasis", *where, "--secret-file", str(work / "secret"))
    until("discovery, API root, three pages, 50 indicators", 30, lambda: source().get("items") == 50 and source()["failures"] == 0)
    log = (work / "peer.log").read_text()
    assert log.count("&next=") + log.count("?next=") >= 2, log[-3000:]

    # more objects, and one that is taken back
    gone = indicator(7, modified="2026-02-01T00:00:00.000Z", revoked=True)
    new = [indicator(n) for n in range(51, 56)] + [gone]
    body = json.dumps({"objects": new}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{taxii}/api/collections/{COLLECTION}/objects/", body, {
        "Content-Type": "application/taxii+json;version=2.1", "Accept": "application/taxii+json;version=2.1",
        "Authorization": "Basic " + base64.b64encode(b"reader:secret").decode()})
    assert urllib.request.urlopen(request).status == 202
    hinomi("content", "source", "pull", "oasis")
    until("only what was added since, the revoked one is gone", 30, lambda: source().get("items") == 54 and source()["failures"] == 0)
    assert "added_after=2026-01-02T00" in (work / "peer.log").read_text()

    kept = work / "server/content/objects/default-oasis.json"
    bundle = json.loads(kept.read_text())
    assert len(bundle["objects"]) == 55 and len({o["id"] for o in bundle["objects"]}) == 55
    import stix2validator
    result = stix2validator.validate_file(str(kept), stix2validator.ValidationOptions(version="2.1", enforce_refs=False))
    assert result.is_valid, [(r.object_id, [str(e) for e in r.errors]) for r in result.object_results if not r.is_valid][:3]
    print("ok what is kept is valid STIX 2.1")

    versions = json.loads(hinomi("content", "list", "--json"))["versions"]
    assert len(versions) == 2 and all(v["origin"] == "fetch:oasis" for v in versions), versions
    hinomi("content", "source", "pull", "oasis")
    time.sleep(2)
    assert len(json.loads(hinomi("content", "list", "--json"))["versions"]) == 2, "a pull without news made a version"
    print("ok a pull without news makes no version")
except BaseException:
    for name in ("peer.log", "server.log"):
        if (work / name).exists():
            print("---", name, (work / name).read_text()[-2500:], sep="\n")
    raise
finally:
    for p in reversed(running):
        p.terminate()
        try:
            p.wait(15)
        except subprocess.TimeoutExpired:
            p.kill()
    shutil.rmtree(work, ignore_errors=True)
