rule EICAR_Test_File : test
{
    meta:
        description = "the EICAR test file, which every scanner must find and which harms nobody"
        description_ja = "EICAR テストファイル。検査が働いていることを確かめるための無害なファイル"
        author = "Hinomi"
        reference = "https://www.eicar.org/download-anti-malware-testfile/"
        severity = "low"
    strings:
        // as bytes, so that no scanner takes this file for the test file
        $eicar = { 58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34 28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 }
    condition:
        $eicar at 0 and filesize < 200
}
