package minimax

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// The five endpoints, all [DOC].
const (
	pathUpload   = "/v1/files/upload"
	pathList     = "/v1/files/list"
	pathRetrieve = "/v1/files/retrieve"
	pathContent  = "/v1/files/retrieve_content"
	pathDelete   = "/v1/files/delete"
)

// A File is the API's record of one.
type File struct {
	ID          ID     `json:"file_id"`
	Bytes       int64  `json:"bytes"`      // 0 means unknown: so it is for every generated video
	CreatedAt   int64  `json:"created_at"` // Unix seconds
	Filename    string `json:"filename"`   // not unique: every generated video is output_aigc.mp4
	Purpose     string `json:"purpose"`
	DownloadURL string `json:"download_url,omitempty"` // only from Retrieve, and not for every purpose
}

// URLExpires is when DownloadURL stops working, read from the URL itself: the
// documented lifetimes (1 hour, 9 hours) and the observed ones (6 to 10) differ.
func (f *File) URLExpires() (time.Time, bool) {
	u, err := url.Parse(f.DownloadURL)
	if err != nil {
		return time.Time{}, false
	}
	query := u.Query()
	if at, err := strconv.ParseInt(query.Get("Expires"), 10, 64); err == nil && at > 0 {
		return time.Unix(at, 0).UTC(), true
	}
	for _, form := range []struct{ date, lifetime string }{
		{"X-Amz-Date", "X-Amz-Expires"}, {"x-oss-date", "x-oss-expires"},
	} {
		signed, err := time.Parse("20060102T150405Z", query.Get(form.date))
		seconds, err2 := strconv.Atoi(query.Get(form.lifetime))
		if err == nil && err2 == nil {
			return signed.Add(time.Duration(seconds) * time.Second), true
		}
	}
	return time.Time{}, false
}

// A FileAnswer is what Retrieve and Upload are answered with. BaseResp is nil
// where a gateway leaves it out.
type FileAnswer struct {
	File     File      `json:"file"`
	BaseResp *BaseResp `json:"base_resp,omitempty"`
}

// lacks says what a successful answer of another shape does not have.
func (a FileAnswer) lacks() string {
	if a.File == (File{}) {
		return "a file"
	}
	return ""
}

// Retrieve returns one file's record with a fresh download URL. Some gateways
// bill each call.
func (c *Client) Retrieve(ctx context.Context, id ID) (*FileAnswer, error) {
	got, err := answer[FileAnswer](ctx, c, call{
		op:     fmt.Sprintf("retrieve file %s", id),
		method: http.MethodGet,
		path:   pathRetrieve,
		query:  url.Values{"file_id": {string(id)}},
	})
	if err != nil {
		return nil, err
	}
	if got.File.ID == "" {
		got.File.ID = id
	}
	return &got, nil
}

// List yields the files of one purpose in the API's order, which is not
// documented; the API has no paging. Files are decoded as they arrive, so that
// a long list needs no memory of its own. An error is yielded last.
func (c *Client) List(ctx context.Context, purpose string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		req := call{
			op:     fmt.Sprintf("list files of purpose %s", purpose),
			method: http.MethodGet,
			path:   pathList,
			query:  url.Values{"purpose": {purpose}},
		}
		begun, stopped := false, false
		err := c.repeat(ctx, false, func() error {
			err := c.listOnce(ctx, req, func(f File) bool {
				begun = true
				stopped = !yield(f, nil)
				return !stopped
			})
			if begun && err != nil {
				// What was yielded can't be taken back, so neither can the call.
				return backoff.Permanent(err)
			}
			return err
		})
		if err != nil && !stopped {
			yield(File{}, err)
		}
	}
}

func (c *Client) listOnce(ctx context.Context, req call, yield func(File) bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	resp, err := c.send(ctx, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := &watchedReader{Reader: resp.Body}
	buffered := bufio.NewReader(body)
	head, _ := buffered.Peek(512)
	if !isSuccess(resp) || !bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		whole, err := io.ReadAll(io.LimitReader(buffered, maxAnswer))
		if err != nil {
			return brokeOff(req.op, resp, err)
		}
		return cmp.Or(check(req.op, resp, whole), error(unusable(req.op, resp, "it is not a JSON object")))
	}
	rest, err := decodeList(json.NewDecoder(buffered), yield)
	switch {
	case err != nil && body.failed(err):
		return brokeOff(req.op, resp, err)
	case err != nil:
		return unusable(req.op, resp, fmt.Sprintf("its JSON does not fit (%v)", err))
	case rest.base.StatusCode != 0:
		return refused(req.op, resp, rest.base)
	case !rest.listed:
		failed := unusable(req.op, resp, "it lacks a list of files")
		failed.Message = cleaned(resp.Request, rest.said)
		return failed
	}
	return nil
}

// watchedReader remembers how reading ended, to tell a broken connection from
// broken JSON.
type watchedReader struct {
	io.Reader
	err error
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// failed reports that a decoder's err came of what was read, or was not.
func (r *watchedReader) failed(err error) bool {
	return r.err != nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// listRest is what a list has beside its files.
type listRest struct {
	base   BaseResp
	said   string // an error's message
	listed bool   // there were files, be it none
}

// decodeList walks {"files": [...], "base_resp": {...}} in whichever order.
func decodeList(dec *json.Decoder, yield func(File) bool) (rest listRest, err error) {
	if _, err := dec.Token(); err != nil {
		return rest, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return rest, err
		}
		if name == "files" {
			rest.listed = true
			if more, err := decodeFiles(dec, yield); err != nil || !more {
				return rest, err
			}
			continue
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return rest, err
		}
		switch name {
		case "base_resp":
			if err := json.Unmarshal(value, &rest.base); err != nil {
				return rest, err
			}
		case "error":
			rest.said = errorText(value)
		}
	}
	_, err = dec.Token()
	return rest, err
}

// decodeFiles reads an array of files, or null. It reports false once the
// reader of the files has had enough.
func decodeFiles(dec *json.Decoder, yield func(File) bool) (more bool, err error) {
	start, err := dec.Token()
	if err != nil || start == nil {
		return true, err
	}
	if start != json.Delim('[') {
		return false, fmt.Errorf("files is %v, not an array", start)
	}
	for dec.More() {
		var f File
		if err := dec.Decode(&f); err != nil {
			return false, err
		}
		if !yield(f) {
			return false, nil
		}
	}
	_, err = dec.Token()
	return true, err
}

// Content is a file's bytes, as the API itself serves them. The caller closes
// Body. Where the API answers with a redirect, Body is empty and Location says
// where the bytes are; the key must not be sent there.
type Content struct {
	Body     io.ReadCloser
	Size     int64 // -1 when not known
	Location string
	Header   http.Header
	Host     string // that answered
}

// Content opens a file's bytes. The API refuses generated videos here (status
// code 2013, "invalid file purpose": use the download URL from
// [Client.Retrieve]) and answers for asynchronous speech with a tar.
func (c *Client) Content(ctx context.Context, id ID) (*Content, error) {
	req := call{
		op:     fmt.Sprintf("retrieve the content of file %s", id),
		method: http.MethodGet,
		path:   pathContent,
		query:  url.Values{"file_id": {string(id)}},
		header: http.Header{"Accept-Encoding": {"identity"}},
	}
	var content *Content
	err := c.repeat(ctx, false, func() error {
		resp, err := c.send(ctx, req)
		if err != nil {
			return err
		}
		content, err = openContent(req.op, resp)
		if err != nil {
			resp.Body.Close()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return content, nil
}

func openContent(op string, resp *http.Response) (*Content, error) {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		if to, err := resp.Location(); err == nil {
			resp.Body.Close()
			return &Content{Body: http.NoBody, Size: -1, Location: to.String(), Header: resp.Header, Host: resp.Request.URL.Host}, nil
		}
	}
	// Errors come with HTTP 200 here too, in place of the bytes.
	buffered := bufio.NewReaderSize(resp.Body, 64<<10)
	head, err := buffered.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, brokeOff(op, resp, err)
	}
	if resp.StatusCode != http.StatusOK {
		whole, _ := io.ReadAll(io.LimitReader(buffered, maxAnswer)) // as much of it as there is
		return nil, cmp.Or(check(op, resp, whole), error(unusable(op, resp, "it is not the file")))
	}
	if len(head) < 512 && bytes.HasPrefix(head, []byte("{")) && bytes.Contains(head, []byte(`"base_resp"`)) {
		if err := check(op, resp, head); err != nil {
			return nil, err
		}
	}
	return &Content{
		Body: struct {
			io.Reader
			io.Closer
		}{buffered, resp.Body},
		Size:   resp.ContentLength,
		Header: resp.Header,
		Host:   resp.Request.URL.Host,
	}, nil
}

// An Upload is a file to be sent.
type Upload struct {
	Purpose  string
	Filename string
	Size     int64 // of Content, in bytes; it must be right
	Content  io.Reader
}

// Upload sends a file with flat memory and a known length. It is not
// idempotent, so it is never repeated once bytes have left: after an error
// that leaves the outcome open, look in [Client.List].
func (c *Client) Upload(ctx context.Context, up Upload) (*FileAnswer, error) {
	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	// Writing to a bytes.Buffer can't fail.
	_ = form.WriteField("purpose", up.Purpose)
	_, _ = form.CreateFormFile("file", up.Filename)
	head := frame.Len()
	_ = form.Close()
	prefix, suffix := frame.Bytes()[:head], frame.Bytes()[head:]
	got, err := answer[FileAnswer](ctx, c, call{
		op:     fmt.Sprintf("upload %q", up.Filename),
		method: http.MethodPost,
		path:   pathUpload,
		header: http.Header{"Content-Type": {form.FormDataContentType()}},
		// The length is sent, not chunks, which some gateways refuse.
		body:   io.MultiReader(bytes.NewReader(prefix), up.Content, bytes.NewReader(suffix)),
		length: int64(len(prefix)) + up.Size + int64(len(suffix)),
		stream: true,
		once:   true,
	})
	if err != nil {
		return nil, err
	}
	return &got, nil
}

// Delete removes one file. Purpose must be the one the file was stored with.
// Deleting is not repeated once bytes have left; a second delete of the same
// file answers [ErrNotFound].
func (c *Client) Delete(ctx context.Context, id ID, purpose string) error {
	body, err := json.Marshal(struct {
		FileID  json.RawMessage `json:"file_id"`
		Purpose string          `json:"purpose"`
	}{id.jsonNumber(), purpose})
	if err != nil {
		return err
	}
	_, err = answer[struct{}](ctx, c, call{
		op:     fmt.Sprintf("delete file %s", id),
		method: http.MethodPost,
		path:   pathDelete,
		header: http.Header{"Content-Type": {"application/json"}},
		body:   bytes.NewReader(body),
		length: int64(len(body)),
		once:   true,
	})
	return err
}
