package minimax

import (
	"context"
	"maps"
	"net/url"
	"strings"
)

// The API's servers. A key works in one region only.
const (
	GlobalBaseURL = "https://api.minimax.io"
	ChinaBaseURL  = "https://api.minimax.cn"
)

// BaseURL is the server of a region, "global" or "cn"; "" for any other word.
func BaseURL(region string) string {
	switch region {
	case "global":
		return GlobalBaseURL
	case "cn":
		return ChinaBaseURL
	}
	return ""
}

// Region tells which region a host serves: "global", "cn", or "" where that is
// not known, as for a reseller.
func Region(host string) string {
	switch host {
	case "api.minimax.io", "api-uw.minimax.io", "api.minimaxi.chat":
		return "global"
	case "api.minimax.cn", "api.minimaxi.com", "api-bj.minimaxi.com", "api.minimax.chat":
		return "cn"
	}
	return ""
}

// endpoint is base + path, with the fixed parameters every call carries and
// those of this one. A base that already ends in /v1 is understood.
func (c *Client) endpoint(ctx context.Context, path string, params url.Values) (*url.URL, error) {
	base := c.BaseURL
	if base == "" {
		base = GlobalBaseURL
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1") + path
	query := u.Query()
	for _, set := range []url.Values{c.Query, params} {
		maps.Copy(query, set)
	}
	if c.GroupID != nil {
		if id := c.GroupID(ctx); id != "" {
			query.Set("GroupId", id)
		}
	}
	// CometAPI bills this route as a model and finds it by this parameter
	// (its page for minimax-files-retrieve).
	if u.Hostname() == "api.cometapi.com" && path == pathRetrieve && !query.Has("model") {
		query.Set("model", "minimax-files-retrieve")
	}
	u.RawQuery = query.Encode()
	return u, nil
}
