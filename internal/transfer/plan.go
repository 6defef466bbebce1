package transfer

import "sync"

// A span is the bytes [pos, end) of an object.
type span struct{ pos, end int64 }

func (s span) length() int64 { return s.end - s.pos }

// A plan says which bytes of an object are still to be fetched, and by whom.
// Work is handed out in whole parts, so that each part is written by one
// connection, in order.
type plan struct {
	partSize int64

	mu   sync.Mutex
	gaps []span           // nobody's yet, in order
	work map[*worker]span // what each worker has still to do
}

// newPlan plans an object of size bytes of which held parts are there.
func newPlan(size, partSize int64, held map[int64]bool) *plan {
	p := &plan{partSize: partSize, work: map[*worker]span{}}
	for pos := int64(0); pos < size; pos += partSize {
		end := min(pos+partSize, size)
		switch last := len(p.gaps) - 1; {
		case held[pos/partSize]:
		case last >= 0 && p.gaps[last].end == pos:
			p.gaps[last].end = end
		default:
			p.gaps = append(p.gaps, span{pos, end})
		}
	}
	return p
}

// take gives a worker a span: a gap nobody has, or else the later half of the
// longest span another has. It returns false where there is nothing worth it.
func (p *plan) take(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.gaps) > 0 {
		s := p.gaps[0]
		p.gaps = p.gaps[1:]
		p.work[w] = s
		return true
	}
	var longest *worker
	for other, s := range p.work {
		if longest == nil || s.length() > p.work[longest].length() {
			longest = other
		}
	}
	if longest == nil {
		return false
	}
	s := p.work[longest]
	if s.length() < 2*p.partSize { // nor may it reach into what is being written
		return false
	}
	middle := (s.pos + s.length()/2 + p.partSize - 1) / p.partSize * p.partSize
	if middle >= s.end {
		return false
	}
	p.work[longest] = span{s.pos, middle}
	p.work[w] = span{middle, s.end}
	return true
}

// span is what the worker has still to do; others may have shortened it.
func (p *plan) span(w *worker) span {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.work[w]
}

// advance says that the worker stored n bytes.
func (p *plan) advance(w *worker, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.work[w]
	s.pos += n
	p.work[w] = s
}

// release gives back what the worker did not do.
func (p *plan) release(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.work[w]; s.length() > 0 {
		p.gaps = append([]span{s}, p.gaps...)
	}
	delete(p.work, w)
}

// frontier is the position up to which every byte is there.
func (p *plan) frontier(size int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := size
	for _, s := range p.gaps {
		first = min(first, s.pos)
	}
	for _, s := range p.work {
		if s.length() > 0 {
			first = min(first, s.pos)
		}
	}
	return first
}

// missing is how many bytes are still to be fetched.
func (p *plan) missing() (n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.gaps {
		n += s.length()
	}
	for _, s := range p.work {
		n += s.length()
	}
	return n
}
