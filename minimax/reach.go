package minimax

import (
	"context"
	"net/http"
)

// Reach reports whether the API's host answers at all. It asks for nothing in
// particular and sends no key, so it costs nobody's quota, and any answer is a
// good one.
func (c *Client) Reach(ctx context.Context) error {
	u, err := c.endpoint(ctx, "/", nil)
	if err != nil {
		return &Error{Op: "reach the API", Err: err}
	}
	u.RawQuery = "" // it may be a reseller's secret
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return &Error{Op: "reach the API", Host: u.Host, Err: withoutURL(err)}
	}
	if c.UserAgent != "" {
		req.Header.Set("User-Agent", c.UserAgent)
	}
	resp, err := c.client().Do(req)
	if err != nil {
		return &Error{Op: "reach the API", Host: u.Host, Err: withoutURL(err)}
	}
	return resp.Body.Close()
}

func (c *Client) client() *http.Client {
	if c.HTTP == nil {
		return defaultHTTPClient()
	}
	return c.HTTP
}
