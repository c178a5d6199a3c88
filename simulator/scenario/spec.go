package scenario

// spec is the file as it is written.
type spec struct {
	Scenario string            `yaml:"scenario"`
	About    map[string]string `yaml:"about"`
	Profile  string            `yaml:"profile"`
	Side     string            `yaml:"side"`
	Role     string            `yaml:"role"`
	Address  string            `yaml:"address"`
	Fetch    bool              `yaml:"fetch"`

	Who     whoSpec    `yaml:"who"`
	Expects expectSpec `yaml:"callers"`

	TLS *tlsSpec `yaml:"tls"`

	MessageSize int    `yaml:"message_size"`
	Record      int    `yaml:"record"`
	Packing     string `yaml:"packing"`
	Gzip        bool   `yaml:"gzip"`
	EBCDIC      bool   `yaml:"ebcdic"`

	Give []giftSpec `yaml:"give"`
	Take bool       `yaml:"take"`

	Faults  map[string]string `yaml:"faults"`
	Answers []answerSpec      `yaml:"answers"`

	Sessions int       `yaml:"sessions"`
	Calls    int       `yaml:"calls"`
	Pause    string    `yaml:"pause"`
	Waits    waitsSpec `yaml:"waits"`
	Within   string    `yaml:"within"`

	Server serverSpec `yaml:"server"`
	Expect resultSpec `yaml:"expect"`
}

// whoSpec is who the counterparty is.
type whoSpec struct {
	Institution string `yaml:"institution"`
	Self        string `yaml:"self"`
	Peer        string `yaml:"peer"`
	Sender      string `yaml:"sender"`
	Password    string `yaml:"password"`
	Transfer    string `yaml:"transfer_password"`

	Login *loginSpec `yaml:"login"`
}

// loginSpec is what is said in the login before the opening, where that has
// something of its own.
type loginSpec struct {
	Name     string `yaml:"name"`
	Password string `yaml:"password"`
}

// expectSpec is what it demands of who calls it.
type expectSpec struct {
	Caller   string `yaml:"caller"`
	Sender   string `yaml:"sender"`
	Password string `yaml:"password"`
	Transfer string `yaml:"transfer_password"`

	Login *loginSpec `yaml:"login"`
}

// giftSpec is one file, or several alike. Its size is the sum of the three.
type giftSpec struct {
	Name      string `yaml:"name"`
	Copies    int    `yaml:"copies"`
	Path      string `yaml:"path"`
	Sample    string `yaml:"sample"`
	Bytes     int64  `yaml:"bytes"`
	Telegrams int64  `yaml:"telegrams"`
	Blocks    int64  `yaml:"blocks"`
	Unknown   bool   `yaml:"unregistered"`
}

type answerSpec struct {
	To       string `yaml:"to"`
	File     string `yaml:"file"`
	Block    int64  `yaml:"block"`
	From     int    `yaml:"from"`
	Times    int    `yaml:"times"`
	Response string `yaml:"response"`
	Delay    string `yaml:"delay"`
	Silent   bool   `yaml:"silent"`
	Map      string `yaml:"map"`
	Missing  []int  `yaml:"missing"`
	Size     int64  `yaml:"size"`
}

type waitsSpec struct {
	Reply string `yaml:"reply"`
	Idle  string `yaml:"idle"`
	First string `yaml:"first"`
}

// serverSpec is what the other end has, where it is made for the scenario alone.
type serverSpec struct {
	Sends    []giftSpec `yaml:"sends"`
	Sender   string     `yaml:"sender"`
	Password string     `yaml:"password"`
	Reply    string     `yaml:"reply"`
	Rounds   int        `yaml:"rounds"`

	Login *loginSpec     `yaml:"login"`
	TLS   *serverTLSSpec `yaml:"tls"`
}

type resultSpec struct {
	Given    *int              `yaml:"given"`
	Taken    *int              `yaml:"taken"`
	Failed   map[string]string `yaml:"failed"`
	Resent   *int64            `yaml:"resent"`
	Ends     string            `yaml:"ends"`
	Sessions int               `yaml:"sessions"`
	Server   map[string]string `yaml:"server"`
}
