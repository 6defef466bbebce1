package transport

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// line is one line of input, or why there is none.
type line struct {
	text    []byte
	tooLong bool
	err     error
}

// readLines sends each line that is not blank, the last one also when nothing
// ends it, and closes the channel at the end of input. A read that blocks
// outlives ctx: there is no way to interrupt one on a pipe.
func readLines(ctx context.Context, in io.Reader, most int, into chan<- line) {
	defer close(into)
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		next, end := readLine(r, most)
		if len(bytes.TrimSpace(next.text)) > 0 || next.tooLong || next.err != nil {
			select {
			case into <- next:
			case <-ctx.Done():
				return
			}
		}
		if end {
			return
		}
	}
}

func readLine(r *bufio.Reader, most int) (next line, end bool) {
	for {
		chunk, err := r.ReadSlice('\n')
		if len(next.text)+len(chunk) > most {
			next.text, next.tooLong = nil, true // the rest of it is read and dropped
		}
		if !next.tooLong {
			next.text = append(next.text, chunk...)
		}
		switch {
		case err == nil:
			return next, false
		case errors.Is(err, io.EOF):
			return next, true
		case !errors.Is(err, bufio.ErrBufferFull):
			next.err = err
			return next, true
		}
	}
}
