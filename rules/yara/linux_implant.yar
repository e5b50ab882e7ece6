rule LD_PRELOAD_Rootkit_Hides_Files : rootkit
{
    meta:
        description = "a library that hides files or processes from every program that loads it"
        description_ja = "読み込んだすべてのプログラムからファイルやプロセスを隠すライブラリー"
        author = "Hinomi"
        severity = "critical"
        mitre_attack = "T1574.006,T1014"
    strings:
        $preload = "/etc/ld.so.preload"
        $dlsym = "dlsym"
        // both names of one function: who calls it needs one, who takes its place has both
        $next1 = { 00 72 65 61 64 64 69 72 36 34 00 }
        $next2 = { 00 72 65 61 64 64 69 72 00 }
        $hook1 = "/proc/self/fd/%d"
        $hook2 = "/proc/%s/stat"
        $hook3 = "__lxstat64"
        $hook4 = "fopen64"
        $hook5 = "unlinkat"
    condition:
        // a shared object, not a program or the loader itself
        uint32(0) == 0x464c457f and uint16(16) == 3 and filesize < 2MB and $dlsym and all of ($next*) and
        (($preload and 2 of ($hook*)) or ($hook1 and $hook2))
}

rule Mirai_Like_Bot : botnet
{
    meta:
        description = "a bot of the Mirai family, which attacks others from this machine"
        description_ja = "Mirai 系のボット。この端末から他者を攻撃する"
        author = "Hinomi"
        severity = "critical"
        mitre_attack = "T1498,T1110.001"
    strings:
        $busybox = /\/bin\/busybox [A-Z]{4,12}\x00/
        $dvr1 = "/dev/misc/watchdog"
        $dvr2 = "/proc/net/tcp"
        $word1 = "/dvrHelper"
        $word2 = "TSource Engine Query"
        $word3 = "LOLNOGTFO"
        $word4 = ".anime"
    condition:
        uint32(0) == 0x464c457f and filesize < 1MB and $busybox and
        (2 of ($word*) or (all of ($dvr*) and 1 of ($word*)))
}

rule Meterpreter_For_Linux : backdoor
{
    meta:
        description = "Meterpreter, the remote control of the Metasploit framework"
        description_ja = "Metasploit の遠隔操作プログラム Meterpreter"
        author = "Hinomi"
        severity = "critical"
        mitre_attack = "T1059,T1105"
    strings:
        $a = "mettlesploit"
        $b = "stdapi_fs_file_expand_path"
        $c = "stdapi_net_config_get_interfaces"
        $d = "core_channel_open"
        $e = "process_memory_read"
    condition:
        $a or 3 of ($b, $c, $d, $e)
}

rule Sliver_Implant : backdoor
{
    meta:
        description = "an implant of the Sliver command-and-control framework"
        description_ja = "遠隔操作の枠組み Sliver のプログラム"
        author = "Hinomi"
        severity = "critical"
        mitre_attack = "T1071,T1105"
    strings:
        $a = "github.com/bishopfox/sliver/protobuf/sliverpb"
        $b = "github.com/bishopfox/sliver/implant/sliver"
        $c = "sliverpb.Register"
    condition:
        uint32(0) == 0x464c457f and 2 of them
}
