package line

// Buffers is a fixed number of large buffers that sessions of one server
// share. A buffer that finds no place when it comes back is left to the
// collector, so the memory that lies idle is bounded.
type Buffers struct{ free chan []byte }

// NewBuffers keeps at most n idle buffers.
func NewBuffers(n int) *Buffers { return &Buffers{free: make(chan []byte, n)} }

// get returns a buffer of length n at least.
func (b *Buffers) get(n int) []byte {
	for range 4 {
		select {
		case buf := <-b.free:
			if cap(buf) >= n {
				return buf[:cap(buf)]
			}
		default:
			return make([]byte, n)
		}
	}
	return make([]byte, n)
}

func (b *Buffers) put(buf []byte) {
	if cap(buf) < readBuffer {
		return
	}
	select {
	case b.free <- buf[:cap(buf)]:
	default:
	}
}
