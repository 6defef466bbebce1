package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
)

// pathError is a failure of a download, with where its file was to go.
type pathError struct {
	path, dir string
	err       error
}

func (e *pathError) Error() string { return e.err.Error() }
func (e *pathError) Unwrap() error { return e.err }

// retitle says of an API error what it was that failed for the caller.
func retitle(op string, err error) error {
	if api, ok := errors.AsType[*minimax.Error](err); ok {
		titled := *api
		titled.Op = op
		return &titled
	}
	return fmt.Errorf("%s: %w", op, err)
}

// explain words an error for an agent that has nothing else to go by: what
// failed, why, and what to do next. Errors that only one tool has bring their
// advice along, in a method next; all others get it here.
func explain(err error) string {
	if complete, ok := errors.AsType[*usageError](err); ok {
		return complete.text
	}
	return sentence(err.Error()) + " " + next(err)
}

// next is the advice for an error, the most telling kind first.
func next(err error) string {
	var (
		api  *minimax.Error
		move *transfer.Error
		path *pathError
	)
	if own, ok := errors.AsType[interface {
		error
		next() string
	}](err); ok {
		return own.next()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "The call was cancelled; there is no half-file under the final name. Call again if it is still wanted."
	case errors.As(err, &api):
		return nextAfterAPI(api)
	case errors.As(err, &move):
		return nextAfterTransfer(move)
	case errors.As(err, &path):
		return nextAfterPath(path)
	}
	return "Call again; if it fails again, the server's log has more."
}

const (
	retryHelps = "Call again in a few seconds; the server tried several times already."
	retryWont  = "Calling again with the same arguments will not help."
)

func nextAfterAPI(e *minimax.Error) string {
	switch {
	case errors.Is(e, minimax.ErrNoKey):
		return "Set MINIMAX_API_KEY, or MINIMAX_API_KEY_FILE, in the environment of this server (in the MCP client's configuration) and restart it; over HTTP, a client may send the header X-MiniMax-API-Key instead. " +
			"Keys are made at platform.minimax.io, or at platform.minimaxi.com for China, which also needs MINIMAX_REGION=cn."
	case errors.Is(e, minimax.ErrTaskFailed):
		return "Nothing was made. Start a new generation, changed as the reason asks. " + retryWont
	case codeAdvice[e.Code] != "":
		return codeAdvice[e.Code] + " " + retryWont
	case errors.Is(e, minimax.ErrUnauthorized):
		return "The user has to check the key: " + regionAdvice(e.Host) + " " + retryWont
	case errors.Is(e, minimax.ErrInvalid) && strings.HasPrefix(e.Op, "upload "):
		return "Check the file against what the purpose takes; the purposes of uploads are " +
			strings.Join(minimax.PurposesFor(func(p minimax.Purpose) bool { return p.Upload }), ", ") + ". " + retryWont
	case errors.Is(e, minimax.ErrInvalid) && strings.Contains(e.Op, "task "):
		return "Check task_id and kind: a task is known to its own kind only (" + strings.Join(taskKinds(), ", ") + "), to the account that started it, and for a limited time. " + retryWont
	case e.HTTPStatus == http.StatusNotFound:
		return fmt.Sprintf("Either there is no such file, or %s is not a MiniMax API: the user can check MINIMAX_API_HOST. %s", e.Host, retryWont)
	case e.HTTPStatus == http.StatusRequestEntityTooLarge:
		return fmt.Sprintf("What was sent is too large for %s: send a smaller file. %s", e.Host, retryWont)
	case errors.Is(e, minimax.ErrNotFound):
		return "No file of this account has this id; MiniMax deletes generated files after a time. Take a file_id from list_files or from a finished generation task, and pass it as a string: a program may have rounded it as a number. " + retryWont
	case errors.Is(e, minimax.ErrRateLimited):
		return fmt.Sprintf("Wait %s and call again.", waitFor(e.RetryAfter))
	case errors.Is(e, minimax.ErrQuota):
		return "The user has to top up the MiniMax account or wait for its quota to renew. " + retryWont
	case errors.Is(e, minimax.ErrRefused):
		return retryWont
	case errors.Is(e, minimax.ErrInvalid) && strings.Contains(e.Message, "purpose"):
		return "The purposes list_files can ask for are " + strings.Join(minimax.ListablePurposes(), ", ") +
			"; a generated video is found by the file_id that its task returned. " + retryWont
	case errors.Is(e, minimax.ErrInvalid):
		return "Check the arguments: a file_id is a string of digits, from list_files or from a finished generation task. " + retryWont
	case e.HTTPStatus >= 300 && e.HTTPStatus < 400:
		return "The user can set MINIMAX_API_HOST to the address it redirects to. " + retryWont
	case e.RetryAfter > 0:
		return fmt.Sprintf("Wait %s and call again.", waitFor(e.RetryAfter))
	case e.Retryable():
		return retryHelps
	case e.Code == 0 && e.HTTPStatus < 300:
		return fmt.Sprintf("Either %s is not a MiniMax API, or it has changed: the user can check MINIMAX_API_HOST. %s", e.Host, retryWont)
	}
	return "The user can look the code up in MiniMax's documentation, or give the Trace-Id to its support. " + retryWont
}

// codeAdvice is for status codes that want more than their kind does.
var codeAdvice = map[int]string{
	1026:  "The text or file that was sent was judged sensitive: change it.",
	1027:  "What was generated was judged sensitive: start a new generation with a changed prompt.",
	1041:  "Too many connections of this account are open: wait for some to end, or ask MiniMax's support for more.",
	1042:  "Remove invisible and unusual characters from the text.",
	1043:  "The recording does not match its text: upload one that does.",
	1044:  "The sample does not match its text: upload one that does.",
	20132: "Check voice_id, and upload other samples.",
	2037:  "A voice sample lasts from 10 seconds to 5 minutes: upload one that does.",
	2038:  "The user has to verify the account with MiniMax before voices can be cloned.",
	2039:  "Choose another voice_id.",
	2042:  "Use a voice_id of this account.",
	2048:  "A prompt audio is shorter than 8 seconds: upload one that is.",
	2056:  "Wait for the next five-hour window of the plan.",
	2061:  "The user's plan does not have this; another plan or a key that is paid by use has.",
}

// retryable reports whether the same call may succeed later by itself.
func retryable(err error) bool {
	var (
		api  *minimax.Error
		move *transfer.Error
		sent *uploadError
		gone *undecided
	)
	switch {
	case errors.As(err, &sent) && sent.begun, errors.As(err, &gone):
		return false // it may have happened
	case errors.As(err, &api):
		return api.Retryable() || errors.Is(api, minimax.ErrRateLimited) && codeAdvice[api.Code] == ""
	case errors.As(err, &move):
		return move.Retryable()
	}
	return errors.Is(err, storage.ErrBusy) || errors.Is(err, storage.ErrGone)
}

// code is a failure in a word, of which there are few: MiniMax's status_code
// where it gave one.
func code(err error) string {
	var (
		api  *minimax.Error
		move *transfer.Error
		why  *refusal
		own  *usageError
	)
	switch {
	case errors.As(err, &own):
		return cmp.Or(own.code, "usage")
	case errors.As(err, &why):
		return "unconfirmed"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, minimax.ErrNoKey):
		return "no_key"
	case errors.Is(err, minimax.ErrTaskFailed):
		return "task_failed"
	case errors.As(err, &api) && api.Code != 0:
		return strconv.Itoa(api.Code)
	case errors.As(err, &api) && api.HTTPStatus >= 300:
		return "http_" + strconv.Itoa(api.HTTPStatus)
	case errors.As(err, &api) && api.HTTPStatus != 0:
		return "unreadable"
	case errors.As(err, &api):
		return "unreachable"
	case errors.As(err, &move):
		return "download_" + move.Kind.String()
	case errors.Is(err, storage.ErrFull):
		return "disk_full"
	case isAny(err, storage.ErrBusy, storage.ErrExists, storage.ErrGone, storage.ErrDenied):
		return "disk"
	}
	var name *storage.NameError
	var path *pathError
	if errors.As(err, &path) && !errors.As(err, &name) && !isAny(err, storage.ErrOutside, storage.ErrNotAPath) {
		return "disk"
	}
	return "usage"
}

func isAny(err error, kinds ...error) bool {
	return slices.ContainsFunc(kinds, func(one error) bool { return errors.Is(err, one) })
}

// traceOf is the Trace-Id of the answer that an error came of, "" if there is
// none.
func traceOf(err error) string {
	if api, ok := errors.AsType[*minimax.Error](err); ok {
		return api.TraceID
	}
	return ""
}

// regionAdvice explains the commonest failure there is: a good key, sent to
// the other region's server.
func regionAdvice(host string) string {
	switch minimax.Region(host) {
	case "global":
		return "a key works in one region only, and " + host + " is the global one. If the key is from platform.minimaxi.com (China), set MINIMAX_REGION=cn; if not, set MINIMAX_API_KEY to a valid key."
	case "cn":
		return "a key works in one region only, and " + host + " is the one of China. If the key is from platform.minimax.io, set MINIMAX_REGION=global; if not, set MINIMAX_API_KEY to a valid key."
	}
	return "a key works on one host only. Check that MINIMAX_API_KEY is a key for " + host + ", or set MINIMAX_REGION (global or cn) or MINIMAX_API_HOST to where the key is from."
}

// guestKeyError is a key of the caller's own that is refused.
type guestKeyError struct{ error }

func (e *guestKeyError) Unwrap() error { return e.error }

func (*guestKeyError) next() string {
	return "The key that the caller sent in X-MiniMax-API-Key is not one of this server's region and host: the user can send another, or leave the header out to use the server's own account. " + retryWont
}

func waitFor(d time.Duration) string {
	if d <= 0 {
		d = 30 * time.Second
	}
	return fmt.Sprintf("%.0f seconds", max(1, d.Seconds()))
}

func nextAfterTransfer(e *transfer.Error) string {
	switch e.Kind {
	case transfer.Unreachable, transfer.Broken, transfer.Stalled: // and what follows the switch
	case transfer.Forbidden:
		return "Nothing was saved. Such an address can come from a gateway that is not to be trusted: the user can check MINIMAX_API_HOST. " + retryWont
	case transfer.TooLarge:
		return "Nothing was saved. The user can raise MINIMAX_MAX_DOWNLOAD_BYTES. " + retryWont
	case transfer.Disguised:
		return "Nothing was saved. Call again once; if the answer is the same, the file itself is gone."
	case transfer.Corrupt:
		return "Nothing was saved. Call again; if it fails the same way, the stored file is damaged."
	case transfer.Refused:
		switch {
		case e.Status == http.StatusNotFound:
			return "Nothing was saved. The stored file is gone: MiniMax keeps generated files for a limited time. " + retryWont
		case e.RetryAfter > 0:
			return fmt.Sprintf("Nothing was saved. Wait %s and call again.", waitFor(e.RetryAfter))
		case !e.Retryable():
			return "Nothing was saved. " + retryWont
		}
	}
	return "To go on, call again with the same arguments: the parts that were whole are kept, where the host tells one version of the file from another."
}

func nextAfterPath(e *pathError) string {
	var name *storage.NameError
	switch {
	case errors.Is(e, storage.ErrOutside):
		return fmt.Sprintf("Files are saved below %s only, and links out of it are not followed. Pass a path relative to it, such as %q, or leave path out.", e.dir, "videos/clip.mp4")
	case errors.Is(e, storage.ErrNotAPath):
		return fmt.Sprintf("Pass a path relative to %s, such as %q, or leave path out.", e.dir, "videos/clip.mp4")
	case errors.As(e, &name):
		return fmt.Sprintf("Pass path with %q in its place, or leave path out.", name.Suggest)
	case errors.Is(e, storage.ErrExists):
		return fmt.Sprintf("%q in %s is something else, and nothing is ever replaced. Pass another path, or leave path out.", e.path, e.dir)
	case errors.Is(e, storage.ErrBusy):
		return "Something else saves to the same path: another server, or another call of this one. Call again when it is done, or pass another path."
	case errors.Is(e, storage.ErrGone):
		return "Nothing was saved. Call again: the directory is made again, and the download starts over."
	case errors.Is(e, storage.ErrFull):
		return fmt.Sprintf("Nothing was saved. The user has to free space on the disk of %s, or set MINIMAX_MCP_BASE_PATH to another; then call again.", e.dir)
	case errors.Is(e, storage.ErrDenied):
		return fmt.Sprintf("Nothing was saved. The user can make %s writable, or set MINIMAX_MCP_BASE_PATH to a directory that is.", e.dir)
	}
	return fmt.Sprintf("Nothing was saved. Check the directory %s, or pass another path.", e.dir)
}

// sentence ends text with a full stop.
func sentence(s string) string {
	return strings.TrimRight(s, ". \n") + "."
}
