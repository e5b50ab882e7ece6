rule Reverse_Shell_Script : reverse_shell
{
    meta:
        description = "a script that gives a shell of this machine to another one over the network"
        description_ja = "この端末のシェルをネットワーク越しに他の端末へ渡すスクリプト"
        author = "Hinomi"
        severity = "high"
        mitre_attack = "T1059.004,T1071"
    strings:
        $bash = /\b(ba|z|k)?sh[ \t]+-i[ \t]*[0-9]?>[&>]?[ \t]*\/dev\/(tcp|udp)\/[^ \t\r\n]{3,64}\/[0-9]{1,5}/
        $exec = /exec[ \t]+[0-9]{1,3}<>[ \t]{0,4}\/dev\/tcp\/[^ \t\r\n]{3,64}\/[0-9]{1,5}/
        $python1 = /os\.dup2\([ \t]{0,4}[a-z_]{1,16}\.fileno\(\)[ \t]{0,4},[ \t]{0,4}0[ \t]{0,4}\)/
        $python2 = /(pty\.spawn|subprocess\.(call|Popen|run)|os\.(system|execl))[ \t]{0,4}\([ \t]{0,4}\[?[ \t]{0,4}["']\/bin\/(ba)?sh/
        $perl = /open\(STDIN,[ \t]{0,4}["']>&S["']\)/
        $netcat = /\bn(et)?c(at)?[ \t]+[^\r\n;|]{0,64}-e[ \t]+\/bin\/(ba)?sh/
        $pipe = /mkfifo[ \t]+(\/[^ \t;\r\n]{1,64})[ \t]{0,4};[^\r\n]{0,120}\/bin\/(ba)?sh[ \t]+-i[^\r\n]{0,64}\|[ \t]{0,4}n(et)?c(at)?[ \t]/
    condition:
        filesize < 256KB and uint32(0) != 0x464c457f and
        ($bash or $exec or $perl or $netcat or $pipe or all of ($python*))
}

rule Privilege_Search_Script : hacktool
{
    meta:
        description = "a script that searches a machine for ways to become root (LinPEAS, LinEnum)"
        description_ja = "root になる方法を端末の中から探すスクリプト（LinPEAS、LinEnum など）"
        author = "Hinomi"
        severity = "medium"
        mitre_attack = "T1082,T1083,T1068"
    strings:
        $a = "linpeas" nocase
        $b = "LinEnum"
        $c = "GTFOBins" nocase
        $d = "-perm -4000"
        $e = "/etc/sudoers"
        $f = "linux-exploit-suggester" nocase
        $g = "docker.sock"
    condition:
        filesize < 4MB and uint16(0) == 0x2123 and ($a or $b) and 3 of ($c, $d, $e, $f, $g)
}
