package config_test

// brokenMeaning has what does not fit together.
var brokenMeaning = []broken{
	{"files for everybody", "host: bat01", "host: bat01\naccess: { mode: 0644, work: { directory_mode: 0500 } }",
		`3:17: access.mode: With the mode 0644 everybody on the machine could use what the program keeps, or the program itself could not. Files need at least 0400 and at most 0770, directories 0700 to 0770: nothing for others. Give rights to a group.
3:47: access.work.directory_mode: With the mode 0500 everybody on the machine could use what the program keeps, or the program itself could not. Files need at least 0400 and at most 0770, directories 0700 to 0770: nothing for others. Give rights to a group.`},
	{"mode that is none", "host: bat01", "host: bat01\naccess: { mode: rw-r----- }",
		`3:17: access.mode: "rw-r-----" is not the mode of a file. Write it in octal, such as 0640.`},
	{"fields that overlap", "record: { length: 150 }", "record: { length: 150, fields: [ { name: a, offset: 0, length: 5, type: account }, { name: b, offset: 4, length: 2, type: code } ] }",
		`26:107: files[0].record.fields[1].offset: The field b overlaps the field a. Correct offset and length, counted in bytes from 0, or tell the records apart with "starts".`},
	{"field behind the record", "record: { length: 150 }", "record: { length: 150, fields: [ { name: a, offset: 149, length: 2, type: account } ] }",
		`26:70: files[0].record.fields[0].length: 2 is not between 1 and 1. Write a value in that range.`},
	{"field of an unknown type", "record: { length: 150 }", "record: { length: 150, fields: [ { name: a, offset: 0, length: 2, type: acount } ] }",
		`26:77: files[0].record.fields[0].type: "acount" is not possible here (possible: account, card, resident, name, phone, amount, code, text). Did you mean "account"?`},
	{"mask of another kind", "host: bat01", "host: bat01\nmask: never",
		`3:7: mask: "never" is not possible here. Possible are: reason, always.`},
	{"session log of another level", "host: bat01", "host: bat01\nsession_log: { level: body, session: 1KiB }",
		`3:23: session_log.level: "body" is not possible here. Possible are: off, headers, bodies.
3:38: session_log.session: 1024 is not between 65536 and 1099511627776. Write a value in that range.`},
	{"content in the log where records are always masked", "host: bat01", "host: bat01\nmask: always\nsession_log: { level: bodies }",
		`4:23: session_log.level: With "bodies" a session log holds the content of files in clear, which mask forbids. Write "headers", for the whole host or for this institution. To have content in the log for a test, change mask first.`},
	{"content of one institution in the log", "side: institution", "side: institution\n    mask: always\n    session_log: bodies",
		`16:18: institutions[0].session_log: With "bodies" a session log holds the content of files in clear, which institutions[0].mask forbids. Write "headers", for the whole host or for this institution. To have content in the log for a test, change institutions[0].mask first.`},
	{"backups kept for less than content", "host: bat01", "host: bat01\nretention: { payload: 14d, backup: 7d }",
		`3:36: retention.backup: retention.backup is 168h0m0s, but content is kept for 336h0m0s (0s = for ever). Rows and backups must stay at least as long as the content they belong to. Make it longer, or retention.payload shorter.`},
	{"rows kept for less than content that stays", "host: bat01", "host: bat01\nretention: { payload: 0s, transfers: 30d }",
		`3:38: retention.transfers: retention.transfers is 720h0m0s, but content is kept for 0s (0s = for ever). Rows and backups must stay at least as long as the content they belong to. Make it longer, or retention.payload shorter.`},
	{"kept for minutes", "host: bat01", "host: bat01\nretention: { sessions: 10m }",
		`3:24: retention.sessions: 10m0s is not between 24h0m0s and 876000h0m0s. Write a value in that range.`},
	{"days that are none", "host: bat01", "host: bat01\nretention: { payload: 1.5d }",
		`3:23: retention.payload: "1.5d" is not a length of time. Write a number with its unit: 500ms, 30s, 5m, 4h or 7d.`},
	{"zone", "host: bat01", "host: bat01\nzone: Asia/Seol",
		`3:7: zone: "Asia/Seol" is not a time zone. Write a name such as Asia/Seoul.`},
	{"database of another kind", "sqlite:pabal.db", "mysql://u:secret@h/db",
		`3:18: database.url: A database address cannot begin with "mysql". Write sqlite:FILE or postgres://….`},
	{"database without a name", "sqlite:pabal.db", "sqlite:",
		`3:18: database.url: A database address cannot begin with "sqlite". Write sqlite:FILE or postgres://….`},
	{"network that is a name", "    side", "    allow: { in: [10.1.2.3, bank.example] }\n    side",
		`14:29: institutions[0].allow.in[1]: "bank.example" is neither an address nor a network. Write an address (10.1.2.3, 2001:db8::7) or a network (10.1.2.0/24, 2001:db8::/32). Names are not possible here.`},
	{"network and address at once", "    side", "    allow: { out: [10.1.2.3/16] }\n    side",
		`14:20: institutions[0].allow.out[0]: "10.1.2.3/16" names one address and a whole network at once. Write 10.1.0.0/16 for the network, or the address alone.`},
	{"certificate without a key", "    side", "    tls: { certificate: a.pem }\n    side",
		`14:5: institutions[0].tls.key: "key" is missing. Add it; "pabal init DIR" writes an example that explains every setting.`},
	{"version of TLS that is none", "    side", "    tls: { minimum: 1.1 }\n    side",
		`14:21: institutions[0].tls.minimum: "1.1" is not possible here (possible: 1.2, 1.3). Did you mean "1.2"?`},
	{"listening over TLS without a certificate", ", profile: edi }", ", profile: edi, tls: { key: k.pem, client: sometimes } }",
		`10:58: instances[0].listen[0].tls.certificate: "certificate" is missing. Add it; "pabal init DIR" writes an example that explains every setting.
10:58: instances[0].listen[0].tls.client_ca: "client_ca" is missing. Add it; "pabal init DIR" writes an example that explains every setting.
10:85: instances[0].listen[0].tls.client: "sometimes" is not possible here. Possible are: required, optional.`},
	{"bandwidth of a modem", "    side", "    limits: { bandwidth: 100 }\n    side",
		`14:26: institutions[0].limits.bandwidth: 100 is not between 4096 and 1099511627776. Write a value in that range.`},
	{"more unknown callers than callers", "id: one", "id: one\n    limits: { unidentified: 65, opening: { bytes: 100 } }",
		`10:29: instances[0].limits.unidentified: 65 is not between 0 and 64. Write a value in that range.
10:51: instances[0].limits.opening.bytes: 100 is not between 4096 and 1125899906842624. Write a value in that range.`},
	{"address without a port", `"127.0.0.1:9001"`, "127.0.0.1",
		`16:14: institutions[0].connect: "127.0.0.1" is not an address. Write host and port number, for example 127.0.0.1:9100.`},
	{"address with a named port", "127.0.0.1:9001", "127.0.0.1:ftp",
		`16:14: institutions[0].connect: "127.0.0.1:ftp" is not an address. Write host and port number, for example 127.0.0.1:9100.`},
	{"port too large", "127.0.0.1:9001", "127.0.0.1:70000",
		`16:14: institutions[0].connect: "127.0.0.1:70000" is not an address. Write host and port number, for example 127.0.0.1:9100.`},
	{"same port twice", `listen: [ { address: "127.0.0.1:9100", profile: edi } ]`, `listen: [ { address: "127.0.0.1:9100", profile: edi }, { address: ":9100", profile: cms } ]`,
		`10:71: instances[0].listen[1].address: :9100 is listened on twice; the first is in line 10. Give each its own port.`},
	{"listening without a profile", ", profile: edi", "",
		`10:15: instances[0].listen[0].profile: "profile" is missing. Add it; "pabal init DIR" writes an example that explains every setting.`},
	{"institution twice", "jobs:", "  - { code: KFTC, profile: edi, side: centre, wire_code: A }\njobs:",
		`19:13: institutions[1].code: "KFTC" is used twice; the first is in line 12. Give each its own code.`},
	{"job twice", "files:", "  - { code: CMS, institution: KFTC }\nfiles:",
		`21:13: jobs[1].code: "CMS" is used twice; the first is in line 20. Give each its own code.`},
	{"instance twice", "institutions:\n", `  - { id: one }
routers: [ { id: fileScanRouter, kind: instance, instance: one } ]
institutions:
`,
		`11:11: instances[1].id: "one" is used twice; the first is in line 9. Give each its own code.`},
	{"unknown institution of a file", "    institution: KFTC", "    institution: KFTX",
		`23:18: files[0].institution: There is no institution "KFTX" (registered: KFTC). Correct the code, or add the institution under institutions.`},
	{"unknown institution of a job", "CMS, institution: KFTC", "CMS, institution: KFB",
		`20:31: jobs[0].institution: There is no institution "KFB" (registered: KFTC). Correct the code, or add the institution under institutions.
24:10: files[0].job: Institution KFTC has no job "CMS" (registered: -). Correct the code, or add the job under jobs.`},
	{"records of what has none", "record: { length: 150 }\n    checks:", "record: { form: raw }\n    checks:\n      records: true",
		`28:16: files[0].checks.records: "records" is of no use without "record.form: fixed, lines". Add "record.form: fixed, lines", or remove "records".`},
	{"repeat of an institution", "    side", "    repeat: twice\n    side",
		`14:13: institutions[0].repeat: "twice" is not possible here. Possible are: refuse, absorb, new.`},
	{"unknown job", "    job: CMS", "    job: CMX",
		`24:10: files[0].job: Institution KFTC has no job "CMX" (registered: CMS). Correct the code, or add the job under jobs.`},
	{"unknown instance", "    side", "    instance: two\n    side",
		`14:15: institutions[0].instance: There is no instance "two" (registered: one). Correct the ID, or add the instance under instances.`},
	{"unknown instance that stands by", "    side", "    standby: [two]\n    side",
		`14:15: institutions[0].standby[0]: There is no instance "two" (registered: one). Correct the ID, or add the instance under instances.`},
	{"an instance stands by itself", "    side", "    standby: [one]\n    side",
		`14:15: institutions[0].standby[0]: "one" is used twice; the first is in line 12. Give each its own code.`},
	{"a lease too short", "host: bat01", "host: bat01\nlease: 1s",
		`3:8: lease: 1s is not between 2s and 10m0s. Write a value in that range.`},
	{"no instance chosen", "institutions:\n", `  - { id: two }
routers: [ { id: fileScanRouter, kind: 배치분배인스턴스, instance: one } ]
institutions:
`,
		`14:5: institutions[0].instance: There are several instances (one, two) and none is chosen here. Add "instance:" with one of them.`},
	{"no router for several instances", "institutions:\n  - code: KFTC", `  - { id: two }
institutions:
  - instance: one
    code: KFTC`,
		`1:1: routers: No router is called fileScanRouter, so nobody would look into the scan directory. Add a router with this ID, a kind and an instance.`},
	{"unknown kind of router", "host: bat01", "host: bat01\nrouters: [ { id: fileScanRouter, kind: 배치분배 } ]",
		`3:40: routers[0].kind: "배치분배" is not possible here. Possible are: instance, distributor, 배치인스턴스, 배치분배인스턴스.`},
	{"instance that is no directory", "id: one", "id: one/two",
		`9:9: instances[0].id: "one/two" cannot be an instance ID: it becomes the name of a directory. Use letters, digits, "_" and "-", for example instance_BAT_01.`},
	{"instances of one directory", "institutions:\n", `  - { id: o_ne }
routers: [ { id: fileScanRouter, kind: instance, instance: one } ]
institutions:
`,
		`11:11: instances[1].id: Instances o_ne and one would share the work directory one. Choose IDs that differ in more than underscores.
14:5: institutions[0].instance: There are several instances (one, o_ne) and none is chosen here. Add "instance:" with one of them.`},
	{"same directory", "data/work", "data/scan/",
		`6:24: system.WORK_DIRECTORY_NAME: SCAN_DIRECTORY_NAME and WORK_DIRECTORY_NAME are the same: DIR/data/scan. Give each its own directory. backup and error stand beside the scan directory.`},
	{"directory inside another", "data/receive", "data/work/in",
		`7:27: system.RECEIVE_DIRECTORY_NAME: RECEIVE_DIRECTORY_NAME lies inside WORK_DIRECTORY_NAME: DIR/data/work/in. Choose directories side by side. backup and error stand beside the scan directory.`},
	{"scan beside backup", "data/receive", "data/backup",
		`7:27: system.RECEIVE_DIRECTORY_NAME: RECEIVE_DIRECTORY_NAME and backup are the same: DIR/data/backup. Give each its own directory. backup and error stand beside the scan directory.`},
	{"database in the scan directory", "sqlite:pabal.db", "sqlite:data/scan/pabal.db",
		`3:18: database.url: database.url lies inside SCAN_DIRECTORY_NAME: DIR/data/scan/pabal.db. Choose directories side by side. backup and error stand beside the scan directory.`},
	{"nobody connects", `    listen: [ { address: "127.0.0.1:9100", profile: edi } ]
institutions:
  - code: KFTC
    profile: cms
    side: institution
    wire_code: "12345678"
    connect: "127.0.0.1:9001"
    receive_windows:
      - { from: "03:00", to: "06:00", every: 10m, days: [mon] }
`, "institutions:\n  - { code: KFTC, profile: cms, side: institution, wire_code: X }\n",
		`11:5: institutions[0].connect: Institution KFTC has no address to call, and its instance one listens nowhere. Add "connect:" to the institution, or "listen:" to the instance.`},
	{"window without an address", "    connect: \"127.0.0.1:9001\"\n", "",
		`16:5: institutions[0].receive_windows: Institution KFTC has receive windows but no address to call. Add "connect:", or remove the windows if they call us.`},
	{"empty window", `to: "06:00"`, `to: "03:00"`,
		`18:9: institutions[0].receive_windows[0]: From and to are both 03:00. Write different times; "00:00" to "24:00" is the whole day.`},
	{"window without an end", `, to: "06:00"`, "",
		`18:9: institutions[0].receive_windows[0].to: "to" is missing. Add it; "pabal init DIR" writes an example that explains every setting.`},
	{"retry that shrinks", "    side", "    retry: { first: 10m, max: 30s }\n    side",
		`14:31: institutions[0].retry.max: The longest pause 30s is shorter than the first one, 10m0s. Make max at least as long as first.`},
	{"strip without line ends", "{ length: 150 }", "{ length: 150, strip: true }",
		`26:35: files[0].record.strip: There are no line ends to strip. Set line_end to lf or crlf, or remove strip.`},
	{"field outside of the record", "offset: 27", "offset: 143",
		`28:18: files[0].checks.trailer.count_at: The field ends at byte 151, but the record has 150 bytes. Offsets count from 0. Correct the offset, the length or the record length.`},
	{"amount without its field", "count_at:", "amount_at:",
		`28:18: files[0].checks.trailer.amount_at: "amount_at" is of no use without "amount_field". Add "amount_field", or remove "amount_at".`},
	{"date that is too short", "trailer: {", "header: { date_at: { offset: 27, length: 4, format: yyMMdd } }\n      trailer: {",
		`28:48: files[0].checks.header.date_at.length: The date pattern yyMMdd has 6 characters, but the field is said to have 4. Correct the pattern, or leave length out.`},
	{"rule without an expression", "      trailer:", "      rules: [ { name: sum } ]\n      trailer:",
		`28:16: files[0].checks.rules[0].expr: "expr" is missing. Add it; "pabal init DIR" writes an example that explains every setting.`},
	{"flag without its dot", "    job: CMS\n", "    job: CMS\n    flag: { ready: fin }\n",
		`25:20: files[0].flag.ready: "fin" is not the suffix of a flag file. Write it with its dot, for example .fin.`},
	{"secret from nowhere", "    side", "    sender: { name: x, password: \"${env:NONE}\" }\n    side",
		`14:34: institutions[0].sender.password: The environment variable NONE is not set or empty. Set it for the service that starts pabal.`},
	{"secret in part", "    side", "    sender: { name: x, password: \"a${env:NONE}\" }\n    side",
		`14:34: institutions[0].sender.password: A secret with "${" must be exactly ${env:NAME} or ${file:/path}. Write nothing before or after it.`},
	{"secret in another place", "host: bat01", `host: "${env:HOST}"`,
		`2:7: host: ${env:…} and ${file:…} are read only for passwords. Write the value itself.`},
}
