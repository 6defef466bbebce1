package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax"
)

type deleteIn struct {
	FileID          minimax.ID `json:"file_id"`
	Purpose         string     `json:"purpose"`
	ConfirmFilename string     `json:"confirm_filename"`
}

type deleteOut struct {
	FileID   string `json:"file_id"`
	Deleted  bool   `json:"deleted"`
	Filename string `json:"filename"`
	Purpose  string `json:"purpose"`
}

// Confirmation is what delete_file wants before it deletes.
type Confirmation string

// The ways.
const (
	ConfirmAuto   Confirmation = ""       // the user's word where the client can ask for it, else confirm_filename
	ConfirmAlways Confirmation = "always" // the user's word, or nothing is deleted
	ConfirmNever  Confirmation = "never"  // the call is enough
)

func deleteFile(d Deps) Tool {
	return define(Tool{
		Name:  "delete_file",
		Title: "Delete a file",
		Description: "Delete one file from the MiniMax account, for good. " +
			"It is looked up first, and the user is asked to confirm where the client can ask; where it can't, confirm_filename is needed.",
		Params: []Param{fileIDParam, {
			Name:        "purpose",
			Description: "The file's purpose, from list_files. Left out, it is looked up.",
		}, {
			Name:        "confirm_filename",
			Description: "The file's exact name, from list_files or retrieve_file, as a sign that this file is meant.",
		}},
		Hints: Hints{Destructive: true, Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in deleteIn) (deleteOut, error) {
		out, err := remove(ctx, d, in)
		_, asks := errors.AsType[*question](err)
		switch {
		case err == nil, asks:
			return out, err
		case isUndecided(err): // it has its title
			return deleteOut{}, &deleteError{err}
		}
		return deleteOut{}, &deleteError{retitle("delete file "+string(in.FileID), err)}
	})
}

// A condemned file is what a question was about. It is sealed into the state
// that goes to the client and comes back.
type condemned struct {
	FileID   minimax.ID `json:"file_id"`
	Purpose  string     `json:"purpose"`
	Filename string     `json:"filename"`
	Expires  int64      `json:"expires"` // Unix seconds
}

func remove(ctx context.Context, d Deps, in deleteIn) (deleteOut, error) {
	got, err := d.Files.Retrieve(ctx, in.FileID)
	if err != nil {
		return deleteOut{}, err
	}
	f := got.File
	f.Filename = cmp.Or(f.Filename, string(f.ID)) // something to confirm it by
	switch {
	case in.Purpose != "" && f.Purpose != "" && in.Purpose != f.Purpose:
		return deleteOut{}, new(otherFile("its purpose is", f.Purpose, "and not", in.Purpose))
	case in.ConfirmFilename != "" && in.ConfirmFilename != f.Filename:
		return deleteOut{}, new(otherFile("it is called", f.Filename, "and confirm_filename is", in.ConfirmFilename))
	}
	file := condemned{f.ID, cmp.Or(f.Purpose, in.Purpose), f.Filename, 0}
	if err := d.confirmed(ctx, in, f, file); err != nil {
		return deleteOut{}, err
	}
	if err := d.Files.Delete(ctx, file.FileID, file.Purpose); err != nil {
		return deleteOut{}, &undecided{err}
	}
	return deleteOut{string(file.FileID), true, asData(file.Filename), asData(file.Purpose)}, nil
}

// confirmed returns nil if the file may go, a *question if the user is to
// decide, or why it stays.
func (d Deps) confirmed(ctx context.Context, in deleteIn, f minimax.File, file condemned) error {
	if d.Confirm == ConfirmNever {
		return nil
	}
	stamp := newSeal(d.CursorKey(ctx), "delete_file")
	if r, ok := replyTo(ctx); ok {
		return d.decided(stamp, r, file)
	}
	switch {
	case canAsk(ctx):
		file.Expires = d.now().Add(patienceWithUsers).Unix()
		about := cmp.Or(asData(file.Purpose), "of unknown purpose")
		if f.Bytes > 0 {
			about += ", " + humanize.Bytes(uint64(f.Bytes))
		}
		return &question{
			fmt.Sprintf("Delete %q (%s, from %s, file_id %s) from the MiniMax account? It can't be undone.",
				asData(file.Filename), about, time.Unix(f.CreatedAt, 0).UTC().Format(time.DateOnly), file.FileID),
			stamp.close(file),
		}
	case d.Confirm == ConfirmAlways:
		return &cannotAsk
	case in.ConfirmFilename == "":
		return new(unconfirmed(f.Filename))
	}
	return nil
}

// decided holds a reply against what was asked.
func (d Deps) decided(stamp seal, r reply, file condemned) error {
	var asked condemned
	err := stamp.open(r.state, &asked)
	expires := time.Unix(asked.Expires, 0)
	asked.Expires = 0
	switch {
	case err != nil:
		return &unasked
	case d.now().After(expires):
		return &tooLate
	case asked != file:
		return &aboutAnother
	case r.answer == nil && r.err != nil:
		return &refusal{fmt.Sprintf("%s: %v", unanswered.why, r.err), "If the client can't show questions after all, the user can delete the file in another one, or set MINIMAX_DELETE_CONFIRM"}
	case r.answer == nil:
		return &unanswered
	case r.answer.Action == mcp.ElicitationResponseActionDecline:
		return &declined
	case r.answer.Action != mcp.ElicitationResponseActionAccept:
		return &undecidedUser
	}
	return nil
}

// A refusal is a deletion that is not done.
type refusal struct{ why, advice string }

// The refusals.
var (
	cannotAsk     = refusal{"the user has to confirm it, and this client can't ask", "The user can delete it in a client that can, or set MINIMAX_DELETE_CONFIRM"}
	declined      = refusal{"the user declined", leaveIt}
	undecidedUser = refusal{"the user did not decide", leaveIt}
	unasked       = refusal{"the answer is to a question that was not asked here", askAnew}
	unanswered    = refusal{"the question was not answered", askAnew}
	tooLate       = refusal{"the question was open for too long", askAnew}
	aboutAnother  = refusal{"the answer is to a question about another file", askAnew}
)

const (
	leaveIt = "Leave the file, unless the user asks for it again"
	askAnew = "Make the call anew, without an answer, and the user is asked"
)

func unconfirmed(filename string) refusal {
	return refusal{"it is not confirmed", fmt.Sprintf("If the user wants %q deleted, make the call with confirm_filename %q", asData(filename), filename)}
}

func otherFile(has, this, asked, that string) refusal {
	return refusal{fmt.Sprintf("%s %q, %s %q", has, asData(this), asked, asData(that)), "Check that it is the right file"}
}

func (e *refusal) Error() string { return e.why }

// undecided is a failure of the deletion itself.
type undecided struct{ error }

func (e *undecided) Unwrap() error { return e.error }

// deleteError is any failure of delete_file: it says whether the file is there.
type deleteError struct{ error }

func (e *deleteError) Unwrap() error { return e.error }

func (e *deleteError) next() string {
	var api *minimax.Error
	var why *refusal
	const nothing = "Nothing was deleted."
	switch {
	case errors.As(e, &why):
		return sentence(why.advice) + " " + nothing
	case isUndecided(e) && (!errors.As(e, &api) || !api.Refused() && !errors.Is(api, minimax.ErrNotFound)):
		return "It may have been deleted all the same: call retrieve_file to see, before calling again."
	}
	return next(e.error) + " " + nothing
}

func isUndecided(err error) bool {
	_, ok := errors.AsType[*undecided](err)
	return ok
}
