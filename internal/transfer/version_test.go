package transfer

import (
	"encoding/hex"
	"net/http"
	"testing"
)

func TestVersionOf(t *testing.T) {
	const hash, inBase64 = "5d41402abc4b2a76b9719d911017c592", "XUFAKrxLKna5cZ2REBfFkg=="
	for name, tt := range map[string]struct {
		header http.Header
		offset int64
		etag   string
		crc64  string
		md5    string // hex
	}{
		"nothing":                             {},
		"a strong ETag":                       {header: http.Header{"Etag": {`"x"`}}, etag: `"x"`},
		"a weak ETag":                         {header: http.Header{"Etag": {`W/"x"`}}},
		"an empty ETag":                       {header: http.Header{"Etag": {`""`}}},
		"a CRC-64":                            {header: http.Header{"X-Oss-Hash-Crc64ecma": {"18446744073709551615"}}, crc64: "18446744073709551615"},
		"a CRC-64 that is none":               {header: http.Header{"X-Oss-Hash-Crc64ecma": {"-1"}}},
		"Content-MD5":                         {header: http.Header{"Content-Md5": {inBase64}}, md5: hash},
		"Content-MD5 of a range":              {header: http.Header{"Content-Md5": {inBase64}}, offset: 5},
		"Content-MD5 that is none":            {header: http.Header{"Content-Md5": {"XUFA"}}},
		"an ETag of OSS that is an MD5":       {header: http.Header{"Etag": {`"5D41402ABC4B2A76B9719D911017C592"`}, "X-Oss-Object-Type": {"Normal"}}, etag: `"5D41402ABC4B2A76B9719D911017C592"`, md5: hash},
		"one of a range":                      {header: http.Header{"Etag": {`"5D41402ABC4B2A76B9719D911017C592"`}, "X-Oss-Object-Type": {"Normal"}}, offset: 5, etag: `"5D41402ABC4B2A76B9719D911017C592"`, md5: hash},
		"an ETag of OSS of parts":             {header: http.Header{"Etag": {`"5D41402ABC4B2A76B9719D911017C592-2"`}, "X-Oss-Object-Type": {"Multipart"}}, etag: `"5D41402ABC4B2A76B9719D911017C592-2"`},
		"an ETag that looks like one":         {header: http.Header{"Etag": {`"5d41402abc4b2a76b9719d911017c592"`}}, etag: `"5d41402abc4b2a76b9719d911017c592"`},
		"an ETag of OSS that is none":         {header: http.Header{"Etag": {`"abc"`}, "X-Oss-Object-Type": {"Normal"}}, etag: `"abc"`},
		"a weak ETag of OSS with an MD5":      {header: http.Header{"Etag": {`W/"5d41402abc4b2a76b9719d911017c592"`}, "X-Oss-Object-Type": {"Normal"}}},
		"Content-MD5 comes before the ETag's": {header: http.Header{"Content-Md5": {inBase64}, "Etag": {`"00000000000000000000000000000000"`}, "X-Oss-Object-Type": {"Normal"}}, etag: `"00000000000000000000000000000000"`, md5: hash},
	} {
		t.Run(name, func(t *testing.T) {
			v := versionOf(&Object{Size: 5, Offset: tt.offset, Header: tt.header})
			if v.ETag != tt.etag || v.CRC64 != tt.crc64 || hex.EncodeToString(v.MD5) != tt.md5 {
				t.Errorf("%+v", v)
			}
		})
	}
}
