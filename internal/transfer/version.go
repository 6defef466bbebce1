package transfer

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// A version is what tells one state of an object from another, and what its
// bytes can be checked by. A sink keeps it beside the parts.
type version struct {
	Size  int64  `json:"size"`            // -1 when not known
	ETag  string `json:"etag,omitempty"`  // strong ones only
	CRC64 string `json:"crc64,omitempty"` // x-oss-hash-crc64ecma: of the whole object, in decimal
	MD5   []byte `json:"md5,omitempty"`   // of the whole object
}

func versionOf(obj *Object) version {
	v := version{Size: obj.Size, ETag: obj.Header.Get("ETag"), CRC64: obj.Header.Get("X-Oss-Hash-Crc64ecma")}
	if _, err := strconv.ParseUint(v.CRC64, 10, 64); err != nil {
		v.CRC64 = "" // some copied objects have none
	}
	if len(v.ETag) < 3 || v.ETag[0] != '"' {
		v.ETag = "" // absent, or weak: bytes may differ under it
	}
	if obj.Offset == 0 {
		v.MD5, _ = base64.StdEncoding.DecodeString(obj.Header.Get("Content-Md5"))
	}
	// An ETag is anything its host likes. Alibaba OSS documents that it is the
	// MD5 of what was stored in one piece.
	if len(v.MD5) == 0 && obj.Header.Get("X-Oss-Object-Type") == "Normal" {
		v.MD5, _ = hex.DecodeString(strings.Trim(v.ETag, `"`))
	}
	if len(v.MD5) != md5.Size {
		v.MD5 = nil
	}
	return v
}

// pinned reports that parts of this version can be fetched on their own: it
// can be asked for by name, and its end is known.
func (v version) pinned() bool { return v.ETag != "" && v.Size > 0 }

// matches reports that an answer is of this version.
func (v version) matches(obj *Object) bool {
	other := versionOf(obj)
	return v.Size == other.Size && v.ETag == other.ETag && (v.CRC64 == "" || other.CRC64 == "" || v.CRC64 == other.CRC64)
}

func (v version) encode() []byte {
	text, _ := json.Marshal(v) // strings and a number
	return text
}

func decodeVersion(text []byte) (v version, ok bool) {
	return v, json.Unmarshal(text, &v) == nil && v.pinned()
}
