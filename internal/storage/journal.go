package storage

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"
)

// A journal says what an unfinished file holds: a header, and then a line for
// each part that is whole. Lines are only ever added, each with its own
// checksum, so that what a crash tears is the last one, and it does not count.
type journal struct {
	header journalHeader
	sums   map[int64]uint32 // CRC-32C of each whole part
}

type journalHeader struct {
	Version     int    `json:"v"`
	Owner       string `json:"owner"`       // what the file is a copy of
	Description []byte `json:"description"` // of the object's version, for whoever fetches it
	Size        int64  `json:"size"`
	PartSize    int64  `json:"part_size"`
	PID         int    `json:"pid"` // of the process that writes it
}

type journalPart struct {
	Part int64  `json:"part"`
	Sum  uint32 `json:"crc32c"`
}

const (
	journalVersion = 1
	maxJournalLine = 64 << 10
)

// castagnoli is made when it is needed first: the start is worth more.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// journalLine is a checksum in hex, a blank, and JSON.
func journalLine(v any) []byte {
	body, _ := json.Marshal(v) // numbers and strings
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(body, castagnoli()), body)
}

// readJournalLine reports false for a line that is not whole.
func readJournalLine(line []byte, into any) bool {
	sum, body, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	return ok && err == nil && len(sum) == 8 && uint32(want) == crc32.Checksum(body, castagnoli()) && json.Unmarshal(body, into) == nil
}

// readJournal returns what can be relied on. A header that can't means
// nothing; a part that can't ends the list.
func readJournal(from io.Reader) (j journal, ok bool) {
	lines := bufio.NewReaderSize(from, maxJournalLine)
	line, err := lines.ReadSlice('\n')
	if err != nil || !readJournalLine(line, &j.header) {
		return journal{}, false
	}
	h := j.header
	if h.Version != journalVersion || h.Size <= 0 || h.PartSize <= 0 {
		return journal{}, false
	}
	j.sums = map[int64]uint32{}
	for {
		line, err := lines.ReadSlice('\n')
		var p journalPart
		if err != nil || !readJournalLine(line, &p) || p.Part < 0 || p.Part > (h.Size-1)/h.PartSize {
			return j, true
		}
		j.sums[p.Part] = p.Sum
	}
}

// verify drops the parts whose bytes are not what the journal says. It fails
// only if ctx ends.
func (j *journal) verify(ctx context.Context, file *os.File) error {
	for part, sum := range j.sums {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		from := part * j.header.PartSize
		digest := crc32.New(castagnoli())
		n, err := io.Copy(digest, io.NewSectionReader(file, from, min(j.header.PartSize, j.header.Size-from)))
		if err != nil || n != min(j.header.PartSize, j.header.Size-from) || digest.Sum32() != sum {
			delete(j.sums, part)
		}
	}
	return nil
}
