rule Crypto_Miner_ELF : miner
{
    meta:
        description = "a program that mines crypto currency: it spends this machine's power for others"
        description_ja = "暗号資産を採掘するプログラム。この端末の計算資源を他人のために消費する"
        author = "Hinomi"
        severity = "high"
        mitre_attack = "T1496"
    strings:
        $pool1 = "stratum+tcp://"
        $pool2 = "stratum+ssl://"
        $algo1 = "randomx" nocase
        $algo2 = "cryptonight" nocase
        $algo3 = "kawpow" nocase
        $word1 = "donate-level"
        $word2 = "nicehash" nocase
        $word3 = "\"rig-id\""
        $word4 = "mining.subscribe"
        $word5 = "hashrate" nocase
    condition:
        uint32(0) == 0x464c457f and any of ($pool*) and any of ($algo*) and 2 of ($word*)
}

rule Crypto_Miner_Configuration : miner
{
    meta:
        description = "a configuration of a crypto miner: pool, wallet and algorithm"
        description_ja = "暗号資産の採掘プログラムの設定ファイル（プール、ウォレット、アルゴリズム）"
        author = "Hinomi"
        severity = "medium"
        mitre_attack = "T1496"
    strings:
        $pools = "\"pools\""
        $url = /"url"[ \t]{0,4}:[ \t]{0,4}"(stratum\+(tcp|ssl):\/\/)?[A-Za-z0-9.-]{4,64}:[0-9]{2,5}"/
        $user = "\"user\""
        $donate = "\"donate-level\""
        $randomx = "\"randomx\""
    condition:
        filesize < 64KB and all of them
}
