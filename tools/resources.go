package tools

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"golang.org/x/sync/singleflight"

	"minimax-files-mcp/minimax"
)

// The resources: what read-only clients put into a conversation by its URI.
const (
	recordURI  = "minimax://files/{file_id}"
	contentURI = "minimax://files/{file_id}/content"
)

func addResources(s *server.MCPServer, d Deps) {
	s.AddResourceTemplate(mcp.NewResourceTemplate(recordURI, "file",
		mcp.WithTemplateTitle("A file's record"),
		mcp.WithTemplateDescription("The record of one MiniMax file, with a temporary download URL."),
		mcp.WithTemplateMIMEType("application/json"),
	), resource(func(ctx context.Context, id minimax.ID, uri string) (mcp.ResourceContents, error) {
		got, err := d.Files.Retrieve(ctx, id)
		if err != nil {
			return nil, err
		}
		return asJSON(uri, retrieveOut{File: recordOf(got.File), ExpiresAt: expiry(got.File)})
	}))
	s.AddResourceTemplate(mcp.NewResourceTemplate(contentURI, "file content",
		mcp.WithTemplateTitle("A small file's content"),
		mcp.WithTemplateDescription("What a small MiniMax file holds: text, an image, audio, or a tar's listing."),
	), resource(func(ctx context.Context, id minimax.ID, uri string) (mcp.ResourceContents, error) {
		got, err := read(ctx, d, id, defaultRead)
		if err != nil {
			return nil, err
		}
		switch media := got.media.(type) {
		case mcp.ImageContent:
			return mcp.BlobResourceContents{URI: uri, MIMEType: got.MIMEType, Blob: media.Data}, nil
		case mcp.AudioContent:
			return mcp.BlobResourceContents{URI: uri, MIMEType: got.MIMEType, Blob: media.Data}, nil
		}
		if got.Entries != nil {
			return asJSON(uri, got)
		}
		return mcp.TextResourceContents{URI: uri, MIMEType: got.MIMEType, Text: got.Text}, nil
	}))
}

// resource makes a handler of a function that reads one file. Its errors are
// worded as those of tools are.
func resource(do func(ctx context.Context, id minimax.ID, uri string) (mcp.ResourceContents, error)) server.ResourceTemplateHandlerFunc {
	return func(ctx context.Context, req mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		values, _ := req.Params.Arguments["file_id"].([]string)
		id, err := minimax.ParseID(strings.Join(values, ""))
		if err != nil {
			return nil, errors.New("read resource: " + sentence(err.Error()) + " Take a file_id from list_files, or from a finished generation task.")
		}
		contents, err := do(ctx, id, req.Params.URI)
		if err != nil {
			return nil, errors.New(explain(retitle("read resource "+string(id), err)))
		}
		return []mcp.ResourceContents{contents}, nil
	}
}

func asJSON(uri string, v any) (mcp.ResourceContents, error) {
	text, err := json.Marshal(v)
	return mcp.TextResourceContents{URI: uri, MIMEType: "application/json", Text: string(text)}, err
}

// completer completes the arguments of resource templates and prompts.
type completer struct {
	Deps

	asking singleflight.Group // by the caller's key
	mu     sync.Mutex
	recent map[string]recentIDs // by the caller's key
}

// recentIDs are the newest files' ids. A person types a letter at a time, and
// not each is worth five questions to the API.
type recentIDs struct {
	ids   []string
	until time.Time
}

const (
	maxCompletions = 100 // the protocol allows no more
	recentFor      = 15 * time.Second
)

func newCompleter(d Deps) *completer { return &completer{Deps: d, recent: map[string]recentIDs{}} }

func (c *completer) CompleteResourceArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return c.complete(ctx, argument)
}

func (c *completer) CompletePromptArgument(ctx context.Context, _ string, argument mcp.CompleteArgument, _ mcp.CompleteContext) (*mcp.Completion, error) {
	return c.complete(ctx, argument)
}

func (c *completer) complete(ctx context.Context, argument mcp.CompleteArgument) (*mcp.Completion, error) {
	values := []string{}
	switch argument.Name {
	case "purpose":
		values = minimax.ListablePurposes()
	case "file_id":
		ids, err := c.recentFiles(ctx)
		if err != nil {
			return nil, errors.New(explain(err))
		}
		values = slices.Clone(ids)
	}
	values = slices.DeleteFunc(values, func(v string) bool { return !strings.HasPrefix(v, argument.Value) })
	return &mcp.Completion{Values: values}, nil
}

// recentFiles are the ids of the newest files that can be listed.
func (c *completer) recentFiles(ctx context.Context) ([]string, error) {
	key := string(c.CursorKey(ctx))
	c.mu.Lock()
	maps.DeleteFunc(c.recent, func(_ string, r recentIDs) bool { return c.now().After(r.until) })
	known, ok := c.recent[key]
	c.mu.Unlock()
	if ok {
		return known.ids, nil
	}
	ids, err, _ := c.asking.Do(key, func() (any, error) {
		ctx := context.WithoutCancel(ctx) // others wait for it too; the API has its own bounds
		p := &page{limit: maxCompletions, seen: map[minimax.ID]struct{}{}}
		if _, err := p.gather(ctx, c.Files, minimax.ListablePurposes()); err != nil {
			return nil, err
		}
		ids := []string{}
		for _, f := range p.files[:min(len(p.files), maxCompletions)] {
			ids = append(ids, string(f.ID))
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.recent[key] = recentIDs{ids, c.now().Add(recentFor)}
		return ids, nil
	})
	if err != nil {
		return nil, err
	}
	return ids.([]string), nil
}
