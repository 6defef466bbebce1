package storage

import (
	"bytes"
	"testing"
)

// FuzzJournal holds that a journal that was altered is believed no further
// than its checksums go, and that whatever is read is in bounds.
func FuzzJournal(f *testing.F) {
	whole := journalLine(journalHeader{Version: journalVersion, Owner: "owner", Description: []byte("{}"), Size: 10, PartSize: 4})
	for part := range int64(3) {
		whole = append(whole, journalLine(journalPart{part, 7})...)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-5])
	f.Add([]byte("00000000 {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		j, ok := readJournal(bytes.NewReader(text))
		if !ok {
			return
		}
		if j.header.Size <= 0 || j.header.PartSize <= 0 {
			t.Errorf("header %+v", j.header)
		}
		for part := range j.sums {
			if part < 0 || part*j.header.PartSize >= j.header.Size {
				t.Errorf("part %d of %+v", part, j.header)
			}
		}
		again := journalLine(j.header)
		if !bytes.HasPrefix(text, again) && len(again) < len(text) {
			// JSON has more than one spelling; what matters is that it reads the same.
			if back, ok := readJournal(bytes.NewReader(again)); !ok || back.header.Size != j.header.Size || back.header.Owner != j.header.Owner {
				t.Errorf("%+v is written as %q", j.header, again)
			}
		}
	})
}
