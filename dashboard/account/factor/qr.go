// SPDX-License-Identifier: Apache-2.0

package factor

import (
	"bytes"
	"fmt"
	"image/color"
	"net/url"

	"github.com/boombuler/barcode/qr"
)

// quiet is how many modules around a QR code stay empty.
const quiet = 4

// uri returns the address that a QR code gives to an app, in the form that all apps read.
func (a *App) uri(issuer, name string) string {
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + name}
	// Some apps do not read a plus as a space.
	u.RawQuery = "secret=" + a.Secret + "&issuer=" + url.PathEscape(issuer)
	return u.String()
}

// QR returns an SVG image of the QR code by which an app is set up for an account of an
// issuer. It holds the secret.
func (a *App) QR(issuer, name string) ([]byte, error) {
	if a.Secret == "" {
		return nil, errNoSecret
	}
	code, err := qr.Encode(a.uri(issuer, name), qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("drawing a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="%d %d %d %d" shape-rendering="crispEdges">`, -quiet, -quiet, size+2*quiet, size+2*quiet)
	fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="#fff"/><path d="`, -quiet, -quiet, size+2*quiet, size+2*quiet)
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && code.At(x, y) == color.Black {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.Bytes(), nil
}
