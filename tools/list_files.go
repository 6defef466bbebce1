package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"minimax-files-mcp/minimax"
)

type listIn struct {
	Purpose      string `json:"purpose"`
	NameContains string `json:"name_contains"`
	CreatedAfter int64  `json:"created_after"` // Unix seconds
	Limit        int    `json:"limit"`
	Cursor       string `json:"cursor"`
}

type listOut struct {
	Files          []record        `json:"files" jsonschema:"newest first"`
	Total          int             `json:"total" jsonschema:"of all files that match, on every page"`
	HasMore        bool            `json:"has_more"`
	NextCursor     string          `json:"next_cursor,omitempty"`
	FailedPurposes []failedPurpose `json:"failed_purposes" jsonschema:"purposes whose files are missing here"`
}

type failedPurpose struct {
	Purpose string `json:"purpose"`
	Error   string `json:"error"`
}

const (
	defaultPage  = 20
	maxPage      = 100
	maxPageBytes = 7500 // of JSON, so that no page is a burden to read
)

func listFiles(d Deps) Tool {
	return define(Tool{
		Name:  "list_files",
		Title: "List files",
		Description: "List the files in this MiniMax account, newest first, with optional filters. " +
			"Without purpose, all listable purposes are asked. Generated videos (purpose video_generation) are never listed by MiniMax: their file_id comes from the generation task. " +
			"When has_more is true, call again with cursor alone.",
		Params: []Param{
			{Name: "purpose", Description: "Only files of this purpose: " + strings.Join(minimax.ListablePurposes(), ", ") + "."},
			{Name: "name_contains", Description: "Only files whose filename contains this text, in upper or lower case."},
			{Name: "created_after", Type: Time, Description: "Only files created after this time: RFC 3339 (2026-09-23T10:00:00Z), a date, or Unix seconds."},
			{Name: "limit", Type: Integer, Min: 1, Max: maxPage, Default: defaultPage, Description: "How many files at most; a page also ends at about 8 kB."},
			{Name: "cursor", Description: "next_cursor of the previous list_files call; filters and limit are in it."},
		},
		Hints: Hints{ReadOnly: true, Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in listIn) (listOut, error) { return list(ctx, d, in) })
}

func list(ctx context.Context, d Deps, in listIn) (listOut, error) {
	from, err := startOf(in, d.CursorKey(ctx))
	if err != nil {
		return listOut{}, err
	}
	p := &page{from: from, after: in.Cursor != "", nameContains: strings.ToLower(from.NameContains), limit: from.Limit}
	purposes := []string{from.Purpose}
	if from.Purpose == "" {
		purposes = minimax.ListablePurposes()
		p.seen = map[minimax.ID]struct{}{}
	}
	failed, err := p.gather(ctx, d.Files, purposes)
	if err != nil {
		return listOut{}, err
	}
	return p.out(failed, d.CursorKey(ctx)), nil
}

// startOf is the point to list from: that of the cursor, or the newest file
// under the filters of a first call.
func startOf(in listIn, key []byte) (cursor, error) {
	asked := cursor{Purpose: in.Purpose, NameContains: in.NameContains, CreatedAfter: in.CreatedAfter, Limit: cmp.Or(in.Limit, defaultPage)}
	if in.Cursor == "" {
		return asked, nil
	}
	from, ok := openCursor(in.Cursor, key)
	if !ok {
		return cursor{}, &usageError{text: "list_files: the cursor was altered, or belongs to another account. " +
			"Pass next_cursor of the previous answer exactly as it is, or leave cursor out to start from the newest file."}
	}
	for _, filter := range []struct{ name, asked, has string }{
		{"purpose", asked.Purpose, from.Purpose},
		{"name_contains", asked.NameContains, from.NameContains},
		{"created_after", nonZero(asked.CreatedAfter), nonZero(from.CreatedAfter)},
	} {
		if filter.asked != "" && filter.asked != filter.has {
			return cursor{}, &usageError{text: fmt.Sprintf("list_files: the cursor continues a list with %s %q, and the call asks for %q. "+
				"Pass the cursor alone to continue, or leave it out to start a new list.", filter.name, filter.has, filter.asked)}
		}
	}
	from.Limit = cmp.Or(in.Limit, from.Limit)
	return from, nil
}

func nonZero(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// A page collects the newest files after a point, from several lists at once.
// It holds the records it shows, and of the others an id at most.
type page struct {
	from         cursor
	after        bool // there is a point; else the page is the first
	nameContains string
	limit        int

	mu    sync.Mutex
	seen  map[minimax.ID]struct{} // of several lists: a gateway that ignores purpose sends all each time
	total int
	files []minimax.File // sorted, at most limit+1
}

// gather asks for all purposes side by side. It fails only if none answered.
func (p *page) gather(ctx context.Context, files Files, purposes []string) ([]failedPurpose, error) {
	errs := make([]error, len(purposes))
	var group errgroup.Group
	for i, purpose := range purposes {
		group.Go(func() error {
			for f, err := range files.List(ctx, purpose) {
				if err != nil {
					errs[i] = err
					break
				}
				p.add(f)
			}
			return nil
		})
	}
	_ = group.Wait() // never an error: each has its place in errs
	failed := []failedPurpose{}
	for i, err := range errs {
		if err != nil {
			failed = append(failed, failedPurpose{purposes[i], sentence(err.Error())})
		}
	}
	if len(failed) < len(purposes) {
		return failed, nil
	}
	if len(purposes) > 1 {
		return nil, retitle("list files", errs[0])
	}
	return nil, errs[0]
}

func (p *page) add(f minimax.File) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen != nil {
		if _, again := p.seen[f.ID]; again {
			return
		}
		p.seen[f.ID] = struct{}{}
	}
	if f.CreatedAt <= p.from.CreatedAfter && p.from.CreatedAfter != 0 ||
		!strings.Contains(strings.ToLower(f.Filename), p.nameContains) {
		return
	}
	p.total++
	if p.after && newestFirst(f, minimax.File{CreatedAt: p.from.CreatedAt, ID: p.from.ID}) <= 0 {
		return
	}
	at, _ := slices.BinarySearchFunc(p.files, f, newestFirst)
	if at > p.limit {
		return
	}
	p.files = slices.Insert(p.files, at, f)
	p.files = p.files[:min(len(p.files), p.limit+1)]
}

// newestFirst is a total order, so that a page has one end.
func newestFirst(a, b minimax.File) int {
	return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), b.ID.Compare(a.ID))
}

func (p *page) out(failed []failedPurpose, key []byte) listOut {
	out := listOut{Files: []record{}, Total: p.total, FailedPurposes: failed}
	failures, _ := json.Marshal(failed) // strings
	size := len(failures)
	for i, f := range p.files {
		r := recordOf(f)
		entry, _ := json.Marshal(r) // strings and numbers
		size += len(entry) + 1
		if i == p.limit || i > 0 && size > maxPageBytes {
			end := p.from
			end.CreatedAt, end.ID = p.files[i-1].CreatedAt, p.files[i-1].ID
			out.HasMore, out.NextCursor = true, end.seal(key)
			break
		}
		out.Files = append(out.Files, r)
	}
	return out
}
