package sandbox

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"minimax-files-mcp/minimax"
)

// The storage host signs its URLs as Alibaba OSS does (signature version 1).
const (
	accessKeyID  = "SANDBOXACCESSKEY"
	accessSecret = "sandbox-access-secret"
	bucket       = "sandbox-video-data"
)

// downloadURL mints a URL that expires a lifetime from now, not from the
// file's creation, as all samples of real ones do.
func (s *Server) downloadURL(f *file) string {
	created := time.Unix(f.CreatedAt, 0).UTC().Format(time.DateOnly)
	objectPath := strings.Join([]string{"/inference_output", strings.TrimSuffix(f.Purpose, "_generation"), created, string(f.ID), url.PathEscape(f.Filename)}, "/")
	expires := strconv.FormatInt(s.cfg.Now().Add(s.cfg.URLLifetime).Unix(), 10)
	return s.storageURL + objectPath + "?" + url.Values{
		"Expires":        {expires},
		"OSSAccessKeyId": {accessKeyID},
		"Signature":      {signature(http.MethodGet, objectPath, expires)},
	}.Encode()
}

func signature(method, objectPath, expires string) string {
	mac := hmac.New(sha1.New, []byte(accessSecret))
	fmt.Fprintf(mac, "%s\n\n\n%s\n/%s%s", method, expires, bucket, objectPath)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func (s *Server) serveStorage(w http.ResponseWriter, r *http.Request) {
	s.record("storage", r)
	query := r.URL.Query()
	expires, _ := strconv.ParseInt(query.Get("Expires"), 10, 64)
	want := signature(r.Method, r.URL.EscapedPath(), query.Get("Expires"))
	switch {
	case r.Header.Get("Authorization") != "":
		storageError(w, http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; the API key must never be sent here.")
		return
	case query.Get("Signature") == "":
		storageError(w, http.StatusForbidden, "AccessDenied", "You have no right to access this object.")
		return
	case query.Get("OSSAccessKeyId") != accessKeyID || !hmac.Equal([]byte(query.Get("Signature")), []byte(want)):
		// A HEAD ends here too: the signature covers the method.
		storageError(w, http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
		return
	case s.cfg.Now().Unix() >= expires:
		storageError(w, http.StatusForbidden, "AccessDenied", "Request has expired.")
		return
	}
	var id minimax.ID
	if parts := strings.Split(r.URL.EscapedPath(), "/"); len(parts) == 6 { // as downloadURL makes it
		id = minimax.ID(parts[4])
	}
	f := s.file(id)
	if f == nil {
		storageError(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return
	}
	fault := s.fault("file " + string(id))
	defer f.object.serving.Add(-1)
	if n := f.object.serving.Add(1); fault.MaxConnections > 0 && n > int64(fault.MaxConnections) {
		storageError(w, http.StatusServiceUnavailable, "TooManyConnections", "Too many connections for this object.")
		return
	}
	if !fault.answer(w, r) {
		f.object.serve(w, r, fault, contentType(f.Filename))
	}
}

func storageError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>%s</Code>\n  <Message>%s</Message>\n  <RequestId>6A00000000000000000000</RequestId>\n  <HostId>%s</HostId>\n</Error>\n", code, message, bucket)
}

func contentType(name string) string {
	switch path.Ext(name) {
	case ".mp4":
		return "video/mp4"
	case ".mp3":
		return "audio/mpeg"
	case ".tar":
		return "application/x-tar"
	}
	return "application/octet-stream"
}

// serve sends the object, or a range of it, with the digests OSS sends.
func (o *object) serve(w http.ResponseWriter, r *http.Request, fault Fault, kind string) {
	total := &o.sent
	if fault.Changed {
		o = &object{ReaderAt: changed{o.ReaderAt, o.size / 2}, size: o.size}
	}
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", kind)
	}
	h.Set("x-oss-object-type", o.kind())
	if !fault.NoETag {
		h.Set("ETag", o.etag())
	}
	if !fault.NoChecksum && (!o.pattern || o.size <= unhashed) {
		o.digest()
		crc := o.crc
		if fault.WrongChecksum {
			crc++
		}
		h.Set("x-oss-hash-crc64ecma", strconv.FormatUint(crc, 10))
		if o.md5 != nil {
			h.Set("Content-MD5", o.contentMD5())
		}
	}
	if fault.GzipLie {
		h.Set("Content-Encoding", "gzip")
	}
	from, n, status := int64(0), o.size, http.StatusOK
	if !fault.NoRange {
		h.Set("Accept-Ranges", "bytes")
		if start, length, ok := o.rangeOf(r); ok {
			from, n, status = start, length, http.StatusPartialContent
			h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, start+length-1, o.size))
			h.Del("Content-MD5") // it is of the whole
		}
	}
	body := io.Reader(io.NewSectionReader(o.ReaderAt, from, n))
	switch {
	case fault.Endless:
		body, n = io.NewSectionReader(pattern{}, 0, math.MaxInt64), math.MaxInt64
	case fault.NoLength:
		h.Set("Transfer-Encoding", "identity") // no chunks either: the end of the connection ends the body
	default:
		h.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	w.WriteHeader(status)
	fault.body(w, r, body, n, total)
}

// rangeOf reads a single-range header. A range that ends or starts beyond the
// object is ignored, and the whole object sent: that is what OSS does without
// x-oss-range-behavior: standard.
func (o *object) rangeOf(r *http.Request) (start, length int64, ok bool) {
	spec, found := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !found || strings.Contains(spec, ",") {
		return 0, 0, false
	}
	if want := r.Header.Get("If-Range"); want != "" && want != o.etag() {
		return 0, 0, false
	}
	first, last, found := strings.Cut(spec, "-")
	if !found {
		return 0, 0, false
	}
	end, err := strconv.ParseInt(last, 10, 64)
	switch {
	case first == "" && err == nil: // the last so many bytes
		start, end = max(0, o.size-end), o.size-1
	case last == "":
		end = o.size - 1
		fallthrough
	default:
		if start, err = strconv.ParseInt(first, 10, 64); err != nil {
			return 0, 0, false
		}
	}
	if start < 0 || start > end || end >= o.size {
		return 0, 0, false
	}
	return start, end - start + 1, true
}
