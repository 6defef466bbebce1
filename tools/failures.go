package tools

import (
	"fmt"
	"io/fs"
	"strings"
	"time"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
)

// A Failure is a row of the README's troubleshooting: what can go wrong, as it
// is told.
type Failure struct {
	See   string // a part of the text that tells it
	Text  string // what failed and why
	Next  string // what to do
	Again bool   // whether the same call may succeed later
}

// Failures are all that a caller may meet, beside mistakes in its arguments:
// the documented codes first, then answers of other sorts, then what can go
// wrong on this side.
func Failures() (all []Failure) {
	const host, dir = "api.minimax.io", "the download directory"
	add := func(see string, err error) {
		all = append(all, Failure{see, sentence(err.Error()), next(err), retryable(err)})
	}
	api := func(e minimax.Error) error {
		e.Op, e.Host, e.TraceID = "retrieve file 1", host, "05…"
		return &e
	}
	for _, c := range minimax.Codes() {
		add(fmt.Sprintf("status_code %d", c.Number), api(minimax.Error{HTTPStatus: 200, Code: c.Number}))
	}
	add("file_id not exist", api(minimax.Error{HTTPStatus: 200, Code: 2013, Message: "invalid params, file_id not exist"}))
	add("invalid file purpose", api(minimax.Error{HTTPStatus: 200, Code: 2013, Message: "invalid params, invalid file purpose"}))
	add("no API key is set", api(minimax.Error{Err: minimax.ErrNoKey}))
	add("HTTP 401", api(minimax.Error{HTTPStatus: 401}))
	add("HTTP 402", api(minimax.Error{HTTPStatus: 402}))
	add("HTTP 404", api(minimax.Error{HTTPStatus: 404, Answer: "it is an HTML page instead of JSON"}))
	add("HTTP 413", api(minimax.Error{HTTPStatus: 413, Answer: "it is an HTML page instead of JSON"}))
	add("HTTP 429", api(minimax.Error{HTTPStatus: 429, RetryAfter: 20 * time.Second}))
	add("HTTP 502", api(minimax.Error{HTTPStatus: 502, Answer: "it is an HTML page instead of JSON"}))
	add("HTTP 302", api(minimax.Error{HTTPStatus: 302, Answer: "a redirect to example.org, which is not followed because the key must stay with one host"}))
	add("the answer of", api(minimax.Error{HTTPStatus: 200, Answer: "it lacks a file"}))
	add("could not be reached", api(minimax.Error{Err: fs.ErrClosed}))
	add("the task ended as", api(minimax.Error{HTTPStatus: 200, Err: minimax.ErrTaskFailed, Answer: `the task ended as "Fail"`}))
	add("It may have arrived", &uploadError{api(minimax.Error{Err: fs.ErrClosed}), true, "voice_clone", "me.mp3"})
	add("It may have been deleted", &deleteError{&undecided{api(minimax.Error{Err: fs.ErrClosed})}})
	for _, e := range []struct {
		see string
		transfer.Error
	}{
		{"could not be reached (a download host)", transfer.Error{Kind: transfer.Unreachable}},
		{"broke off", transfer.Error{Kind: transfer.Broken}},
		{"stalled", transfer.Error{Kind: transfer.Stalled}},
		{"answered HTTP 404 (a download host)", transfer.Error{Kind: transfer.Refused, Status: 404}},
		{"answered HTTP 503 (a download host)", transfer.Error{Kind: transfer.Refused, Status: 503, RetryAfter: 20 * time.Second}},
		{"the download address is not allowed", transfer.Error{Kind: transfer.Forbidden}},
		{"sent an error in place of the file", transfer.Error{Kind: transfer.Disguised}},
		{"are not the file's", transfer.Error{Kind: transfer.Corrupt}},
		{"is too large", transfer.Error{Kind: transfer.TooLarge}},
	} {
		e.Host = "cdn.example.com"
		add(e.see, &e.Error)
	}
	local := func(err error) error { return &pathError{"film.mp4", dir, err} }
	add("leads out of the allowed directory", local(storage.ErrOutside))
	add("a path is wanted", local(storage.ErrNotAPath))
	add("is not safe for a file", local(&storage.NameError{Name: "a?b.mp4", Suggest: "a_b.mp4"}))
	add("another file has that name", local(storage.ErrExists))
	add("another download of this file is under way", local(&storage.BusyError{PID: 4711}))
	add("was removed or moved meanwhile", local(storage.ErrGone))
	add("the disk is full", local(&storage.FullError{Need: 5 << 30, Free: 1 << 30}))
	add("can't be written to", local(storage.ErrDenied))
	source := func(err error) error { return &sourceError{"the upload directory", err} }
	add("leads out of the allowed directory (an upload)", source(storage.ErrOutside))
	add("is not safe for a file (an upload)", source(&storage.NameError{Name: ".env", Suggest: "env"}))
	add("file does not exist", source(fs.ErrNotExist))
	add("it is not a file", source(storage.ErrNotAFile))
	add("this is a", &ruleError{minimax.CheckUpload("voice_clone", "me.flac", 34<<20)})
	add("is not documented", &ruleError{minimax.CheckUpload("retrieval", "a.pdf", 1)})
	add("bytes are allowed", tooLong("70 kB", defaultRead))
	add("can't be shown in a conversation", &unreadable{why: "it is video/mp4, which can't be shown in a conversation"})
	for _, r := range []refusal{unconfirmed("narrator.mp3"), cannotAsk, declined, undecidedUser, otherFile("it is called", "narrator.mp3", "and confirm_filename is", "me.mp3"), unasked, tooLate, aboutAnother} {
		see, _, _ := strings.Cut(r.why, " \"")
		add(see, &deleteError{&r})
	}
	return all
}
