rule Web_Shell_PHP_Runs_Request : web_shell
{
    meta:
        description = "a PHP page that runs what a visitor sends: a web shell"
        description_ja = "訪問者が送った内容をそのまま実行する PHP ページ（ウェブシェル）"
        author = "Hinomi"
        severity = "high"
        mitre_attack = "T1505.003"
    strings:
        $open = /<\?(php|=)/ nocase
        $run = /\b(eval|assert|system|passthru|shell_exec|exec|popen|proc_open|create_function)[ \t]{0,8}\([ \t]{0,8}@?(stripslashes[ \t]{0,4}\(|trim[ \t]{0,4}\(|base64_decode[ \t]{0,4}\(){0,2}[ \t]{0,8}\$_(GET|POST|REQUEST|COOKIE|SERVER)[ \t]{0,4}\[/ nocase
        $tick = /`[ \t]{0,8}\$_(GET|POST|REQUEST|COOKIE)[ \t]{0,4}\[/
    condition:
        filesize < 1MB and $open in (0..4096) and ($run or $tick)
}

rule Web_Shell_PHP_Unpacks_Itself : web_shell
{
    meta:
        description = "a PHP page that unpacks and runs hidden code, as web shells do to stay unseen"
        description_ja = "隠したコードを展開して実行する PHP ページ。ウェブシェルがよく使う手口"
        author = "Hinomi"
        severity = "high"
        mitre_attack = "T1505.003,T1027"
    strings:
        $open = /<\?(php|=)/ nocase
        $unpack = /\b(eval|assert)[ \t]{0,8}\([ \t]{0,8}(gzinflate|gzuncompress|gzdecode|str_rot13)[ \t]{0,8}\([ \t]{0,8}(str_rot13[ \t]{0,4}\([ \t]{0,4})?base64_decode[ \t]{0,4}\(/ nocase
    condition:
        filesize < 2MB and $open in (0..4096) and $unpack
}

rule Web_Shell_JSP_Runs_Request : web_shell
{
    meta:
        description = "a JSP page that starts a command from a request: a web shell"
        description_ja = "リクエストで受け取ったコマンドを起動する JSP ページ（ウェブシェル）"
        author = "Hinomi"
        severity = "high"
        mitre_attack = "T1505.003"
    strings:
        $open = "<%"
        $run1 = /getRuntime\(\)[ \t\r\n]{0,8}\.[ \t]{0,4}exec[ \t]{0,4}\(/
        $run2 = /new[ \t]{1,8}ProcessBuilder[ \t]{0,4}\(/
        $ask = /request[ \t]{0,4}\.[ \t]{0,4}getParameter[ \t]{0,4}\(/
    condition:
        filesize < 512KB and $open in (0..1024) and $ask and any of ($run*)
}
