// Package tools is what the server offers to agents: one file per tool, and
// the one adapter, [Tool], that makes an MCP tool of an ordinary Go function.
// [All] lists the tools; [Register] puts them on a server.
package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"minimax-files-mcp/internal/storage"
	"minimax-files-mcp/internal/transfer"
	"minimax-files-mcp/minimax"
)

// Files is what the tools need of the API. [*minimax.Client] has it.
type Files interface {
	List(ctx context.Context, purpose string) iter.Seq2[minimax.File, error]
	Retrieve(ctx context.Context, id minimax.ID) (*minimax.FileAnswer, error)
	Content(ctx context.Context, id minimax.ID) (*minimax.Content, error)
	Task(ctx context.Context, kind minimax.TaskKind, id minimax.ID) (*minimax.Task, error)
	Upload(ctx context.Context, up minimax.Upload) (*minimax.FileAnswer, error)
	Delete(ctx context.Context, id minimax.ID, purpose string) error
}

// Deps is what the tools work with.
type Deps struct {
	Files    Files
	Fetch    *transfer.Client
	Dir      *storage.Dir // of downloads
	Uploads  *storage.Dir // nil where none may be uploaded from
	ReadOnly bool         // the tools that change the account are not there
	LinkOnly bool         // download_file answers with a link and saves nothing
	// Remote says that the server may run elsewhere: its disk is not the user's,
	// and upload_file takes the content of a file too.
	Remote bool
	// MaxContent is the most bytes that upload_file can take as content; 0 is not
	// known.
	MaxContent int64
	// Guest reports that the caller works with an account of its own. What is on
	// this server's disk is not that account's, so a guest is neither shown nor
	// left anything there. Nil means that nobody is one.
	Guest    func(context.Context) bool
	MaxBytes int64 // of a download; 0 means no bound
	// IdleTimeout is how long a download may go without a byte; 60 s if 0.
	IdleTimeout time.Duration
	// Connections is how many one download may use; 8 if 0.
	Connections int
	// Backoff is the first wait after a download fails; 250 ms if 0.
	Backoff time.Duration
	// PollEvery is the first pause between two looks at a task; 10 s, or 1 s for
	// speech, if 0.
	PollEvery time.Duration
	// Stopping is done when the server is about to stop: calls that wait then
	// answer in_progress, and another server may go on. Nil is never.
	Stopping context.Context //nolint:containedctx // it is the server's, not a call's
	// Log hears of downloads that end when their call has left; nil means nobody.
	Log *slog.Logger
	// Observer hears how downloads go; nil means nobody.
	Observer Observer
	// Confirm is what delete_file wants before it deletes.
	Confirm Confirmation
	// CursorKey authenticates what is given to a caller to be brought back:
	// cursors, and the state of a question. It must be the same after a restart,
	// and differ between callers.
	CursorKey func(context.Context) []byte
	// Now is the time; time.Now if nil.
	Now func() time.Time
}

// An Observer hears how downloads go, for an operator's figures.
type Observer interface {
	// Transfers is told how many run, and how many wait for their turn, whenever
	// that changes.
	Transfers(running, queued int)
	// Retried is told of each failure within a download that it gets over.
	Retried()
}

// stopping is closed when the server is about to stop; nil if it never is.
func (d Deps) stopping() <-chan struct{} {
	if d.Stopping == nil {
		return nil
	}
	return d.Stopping.Done()
}

func (d Deps) guest(ctx context.Context) bool { return d.Guest != nil && d.Guest(ctx) }

func (d Deps) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// All returns every tool, in the order of the chain. The definitions need no
// working Deps, only the calls do.
func All(d Deps) []Tool {
	all := []Tool{waitForTask(d), listFiles(d), retrieveFile(d), downloadFile(d), readFile(d)}
	if !d.ReadOnly {
		all = append(all, uploadFile(d), deleteFile(d))
	}
	return all
}

// A Tool is a definition, as data, and the function that does the work.
type Tool struct {
	Name        string
	Title       string
	Description string // its first sentence stands alone
	Params      []Param
	Hints       Hints
	output      json.RawMessage
	call        func(context.Context, json.RawMessage) (any, error)
}

// Hints are the four an MCP client decides by. All are always sent: mcp-go's
// own defaults are destructive and open.
type Hints struct{ ReadOnly, Destructive, Idempotent, OpenWorld bool }

// An attacher is a result with more to show than its structure: a link to a
// resource, an image.
type attacher interface {
	attached() []mcp.Content
}

// define completes t with its function. In's fields carry the params' names as
// JSON tags; Out is the structured result.
func define[In, Out any](t Tool, do func(context.Context, In) (Out, error)) Tool {
	t.output = outputSchema[Out]()
	t.call = func(ctx context.Context, raw json.RawMessage) (any, error) {
		args, err := t.decode(raw)
		if err != nil {
			return nil, err
		}
		var in In
		if err := json.Unmarshal(args, &in); err != nil {
			return nil, fmt.Errorf("%s: the arguments do not fit: %w", t.Name, err)
		}
		return do(ctx, in)
	}
	return t
}

// MCP is the definition in mcp-go's form.
func (t Tool) MCP() mcp.Tool {
	return mcp.Tool{
		Name:            t.Name,
		Title:           t.Title,
		Description:     t.Description,
		RawInputSchema:  t.inputSchema(),
		RawOutputSchema: t.output,
		Annotations: mcp.ToolAnnotation{
			Title:           t.Title,
			ReadOnlyHint:    &t.Hints.ReadOnly,
			DestructiveHint: &t.Hints.Destructive,
			IdempotentHint:  &t.Hints.Idempotent,
			OpenWorldHint:   &t.Hints.OpenWorld,
		},
	}
}

// Register puts tools on a server.
func Register(s *server.MCPServer, d Deps, all []Tool) {
	for _, t := range all {
		s.AddTool(t.MCP(), t.handler(s, d))
	}
}

// handler is the adapter's other half: it answers every call with a result,
// whatever happens, because agents read results and not protocol errors.
func (t Tool) handler(s *server.MCPServer, d Deps) server.ToolHandlerFunc {
	log := d.log()
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		started := time.Now()
		progress := newProgress(ctx, s, req)
		ctx = withAbility(withProgress(ctx, progress))
		if len(req.Params.InputResponses) > 0 || req.Params.RequestState != "" {
			ctx = withReply(ctx, reply{state: req.Params.RequestState, answer: server.ElicitationResponse(req.Params.InputResponses, replyID)})
		}
		run := func(ctx context.Context) (any, error) { return t.run(ctx, req, log) }
		out, err := run(ctx)
		if q, ok := errors.AsType[*question](err); ok {
			var open *mcp.CallToolResult
			if open, out, err = ask(ctx, s, q, run); open != nil {
				log.InfoContext(ctx, "tool asks", "tool", t.Name)
				return open, nil
			}
		}
		progress.close()
		took := time.Since(started).Milliseconds()
		if err != nil {
			log.WarnContext(ctx, "tool failed", "tool", t.Name, "took_ms", took, "error", err)
			if d.guest(ctx) && errors.Is(err, minimax.ErrUnauthorized) {
				err = &guestKeyError{err}
			}
			return failure(err), nil
		}
		log.InfoContext(ctx, "tool called", "tool", t.Name, "took_ms", took)
		return success(out)
	}
}

// codeKey is the key in a failed result's _meta of a word that says what sort
// of failure it is, for programs and for figures.
const codeKey = "minimax-files/code"

// Outcome is the end of a call in a word of few: "ok", or the sort of failure.
func Outcome(result *mcp.CallToolResult, err error) string {
	switch {
	case err != nil || result == nil:
		return "internal"
	case !result.IsError:
		return "ok"
	case result.Meta != nil:
		if code, is := result.Meta.AdditionalFields[codeKey].(string); is {
			return code
		}
	}
	return "failed"
}

// Limited is the result of a call that is not made because its caller has made
// too many.
func Limited(text string) *mcp.CallToolResult {
	result := mcp.NewToolResultError(text)
	result.Meta = mcp.NewMetaFromMap(map[string]any{"minimax-files/retryable": true, codeKey: "limited"})
	return result
}

// failure is an error as a result. Its text is for the model; what a program
// may want to know is in its _meta too.
func failure(err error) *mcp.CallToolResult {
	result := mcp.NewToolResultError(explain(err))
	result.Meta = mcp.NewMetaFromMap(map[string]any{"minimax-files/retryable": retryable(err), codeKey: code(err)})
	if trace := traceOf(err); trace != "" {
		result.Meta.AdditionalFields["minimax-files/trace_id"] = trace
	}
	return result
}

// run turns a panic into an error. Its text stays in the log: it may quote
// what no answer should.
func (t Tool) run(ctx context.Context, req mcp.CallToolRequest, log *slog.Logger) (out any, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.ErrorContext(ctx, "panic in a tool", "tool", t.Name, "panic", r, "stack", string(debug.Stack()))
			err = &usageError{code: "internal", text: t.Name + ": the server made a mistake of its own. Details are in its log; the same call may fail again, other tools still work."}
		}
	}()
	raw := req.Params.RawArguments
	if raw == nil && req.Params.Arguments != nil {
		if raw, err = json.Marshal(req.Params.Arguments); err != nil {
			return nil, err
		}
	}
	return t.call(ctx, raw)
}

// success is a structured result and its mirror as compact JSON text.
func success(out any) (*mcp.CallToolResult, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // & in a URL is one character, not six
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	result := mcp.NewToolResultStructured(out, strings.TrimSuffix(text.String(), "\n"))
	if a, ok := out.(attacher); ok {
		result.Content = append(result.Content, a.attached()...)
	}
	return result, nil
}
