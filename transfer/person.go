package transfer

// Person is who gives an order, as far as the machine can tell.
type Person struct {
	Who     string // OS user that the program runs as
	Login   string // user who logged in, where that is known and another
	LoginBy string // how Login is known: ByKernel or ByCaller
	Host    string
}

// How the user behind another user is known.
const (
	// ByKernel: the login uid of the process, which is set once at login and
	// stays through su and sudo.
	ByKernel = "kernel"
	// ByCaller: SUDO_USER, which sudo sets and whoever may act as the user
	// could set as well.
	ByCaller = "sudo"
)

// By is who gave the command.
func (c *Command) By() Person { return Person{c.Who, c.Login, c.LoginBy, c.Host} }

// By is who asked for it.
func (r *Request) By() Person { return Person{r.Who, r.Login, r.LoginBy, r.Host} }

// User is the one person that is meant: the user who logged in, or else the
// one that the program runs as.
func (p Person) User() string {
	if p.Login != "" {
		return p.Login
	}
	return p.Who
}

// String is the person for people: kim, or kim (as pabal), and the host.
func (p Person) String() string {
	s := p.User()
	if p.Login != "" && p.Login != p.Who {
		s += " (as " + p.Who + ")"
	}
	if p.Host != "" {
		s += "@" + p.Host
	}
	return s
}

// MayBe reports that two may be one person: they have one name, or act as one
// user and of one of them nobody knows who logged in. The host says nothing:
// people have accounts on several.
func (p Person) MayBe(o Person) bool {
	return p.User() == o.User() || p.Who == o.Who && (p.Login == "" || o.Login == "")
}
