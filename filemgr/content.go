package filemgr

// Check holds the content of a file that was received against the checks of
// its registration, by the same checker that looks at files to send. It is
// written the bytes of the file, in order.
type Check struct{ checker *checker }

// NewCheck begins. Errors: CodeBadOption, CodeBadRule.
func NewCheck(form Form, o CheckOptions, names Names) (*Check, error) {
	c, err := newChecker(form, o, names)
	if err != nil {
		return nil, err
	}
	return &Check{c}, nil
}

// Write takes the next bytes and returns the first failure, one of the codes
// of checks.
func (c *Check) Write(p []byte) (int, error) { return c.checker.Write(p) }

// Close makes the checks that need the whole file.
func (c *Check) Close() error { return c.checker.Close() }
