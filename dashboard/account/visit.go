// SPDX-License-Identifier: Apache-2.0

package account

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-webhooks/caddy-webhooks/dashboard"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/passkey"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/session"
	"github.com/caddy-webhooks/caddy-webhooks/dashboard/account/users"
	"github.com/caddy-webhooks/caddy-webhooks/queue"
	"github.com/caddy-webhooks/caddy-webhooks/subscribers"
)

// visit is one request.
type visit struct {
	*Server
	w       http.ResponseWriter
	r       *http.Request
	book    *users.Book
	current *session.Current
	// user is who has the session, nil for nobody.
	user *users.User
	now  time.Time
}

// visit reads who makes a request.
func (s *Server) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	store, sealer := s.options.Queue(), s.options.Sealer()
	if store == nil || sealer == nil {
		return nil, queue.ErrNotOpen
	}
	v := &visit{Server: s, w: w, r: r, book: &users.Book{Store: store, Sealer: sealer, Now: s.options.Now}, now: s.options.Now()}
	var err error
	if v.current, err = session.New(store, sealer, s.options.Now).Of(r); err != nil || v.current.Session == nil {
		return v, err
	}
	u, err := v.book.Get(r.Context(), v.current.Session.User)
	switch {
	case errors.Is(err, queue.ErrNotFound):
	case err != nil:
		return nil, err
	case valid(v.current.Session, &u):
		v.user = &u
		return v, nil
	}
	v.current.Session = nil
	return v, nil
}

// place returns how far the visitor is.
func (v *visit) place() place { return placeOf(v.current.Session, v.user) }

// used notes that the visitor's session is used. It fails with [session.ErrEnded] alone: if
// it cannot be noted, as the queue's disk is full, people must see their pages all the same.
func (v *visit) used() error {
	err := v.current.Used(v.from())
	if err != nil && !errors.Is(err, session.ErrEnded) {
		v.options.Log.Warn("the use of a session could not be noted", zap.Error(err))
		err = nil
	}
	return err
}

// person returns the visitor as pages know one.
func (v *visit) person() dashboard.Person {
	return dashboard.Person{Tenant: v.user.Tenant, Operator: v.user.Operator(), Name: v.user.Name, SteppedUp: steppedUp(v.current.Session, v.now)}
}

// from returns the visitor's address.
func (v *visit) from() string { return v.options.Client(v.r) }

func (v *visit) site() passkey.Site {
	return passkey.Site{Origin: v.options.Origin(v.r), Name: v.options.Name}
}

// back returns where the visitor comes back to, "/" if nothing is said.
func (v *visit) back() string {
	back := v.r.FormValue("back")
	if !dashboard.IsBack(back) {
		return pathHome
	}
	return back
}

// leave sends the visitor to another page. One that is not yet open for them sends them on.
func (v *visit) leave(path string) error {
	http.Redirect(v.w, v.r, dashboard.Base(v.r)+path, http.StatusSeeOther)
	return nil
}

// goOn sends the visitor to the page of the place where they are now, and from there to
// where they come back to.
func (v *visit) goOn() error {
	if at := v.place(); at != placeOpen {
		return v.leave(withBack(at.path(), v.back()))
	}
	return v.leave(v.back())
}

// misplaced sends the visitor from a page that is not for them to where they are. Who is
// nobody there had a session, or a browser that keeps none: the page to log in says so.
func (v *visit) misplaced() error {
	if v.place() != placeLogin {
		return v.goOn()
	}
	query := url.Values{"ended": {"yes"}}
	if back := v.back(); back != pathHome {
		query.Set("back", back)
	}
	return v.leave(pathLogin + "?" + query.Encode())
}

// bare shows a page of somebody on the way in.
func (v *visit) bare(status int, name, title string, data any) error {
	v.options.Renderer.Render(v.w, v.r, status, dashboard.View{Name: name, Title: title, Data: data, Bare: true, Scripts: []string{"account.js"}})
	return nil
}

// action answers a visit. Its errors are [*problem], or those of the queue.
type action func(v *visit) error

// at returns a handler of an action for visitors at certain places. Others are sent where
// they belong.
func (s *Server) at(do action, places ...place) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := r.ParseForm()
		if err != nil {
			s.fail(w, r, &unread)
			return
		}
		v, err := s.visit(w, r)
		switch {
		case err != nil:
		case len(places) > 0 && !slices.Contains(places, v.place()):
			err = v.misplaced()
		default:
			if v.current.Session != nil {
				err = v.used()
			}
			if err == nil {
				err = do(v)
			}
		}
		if errors.Is(err, session.ErrEnded) {
			v.current.Session, v.user = nil, nil
			err = v.misplaced()
		}
		if err != nil {
			s.fail(w, r, err)
		}
	}
}

// fresh returns a handler of an action for who has shown a second factor a short time ago.
// Others do so first.
func (s *Server) fresh(do action) http.HandlerFunc {
	return s.at(func(v *visit) error {
		if !steppedUp(v.current.Session, v.now) {
			back := pathAccount
			if v.r.Method == http.MethodGet {
				back = backOf(v.r)
			}
			return v.leave(withBack(pathStepUp, back))
		}
		return do(v)
	}, placeOpen)
}

// audit returns the record of what somebody does, to be written with it.
func (v *visit) audit(u *users.User, action string, changed ...string) (queue.Record, error) {
	audited := subscribers.Audited{At: v.now.UTC(), Who: u.Name, Action: action, Object: u.ID, Changed: changed, From: v.from()}
	return audited.Record(u.Tenant, v.options.AuditFor)
}

// noting returns what is written with a change of a user, to say that the user did it.
func (v *visit) noting(action string, changed ...string) users.With {
	return func(u *users.User) ([]queue.Record, error) {
		record, err := v.audit(u, action, changed...)
		return []queue.Record{record}, err
	}
}

// began begins a session of a user, in place of the one that there was.
func (v *visit) began(u *users.User, full bool, action string, changed ...string) error {
	record, err := v.audit(u, action, changed...)
	if err != nil {
		return err
	}
	err = v.current.Begin(v.w, session.Session{
		User: u.ID, Generation: u.Generation, Full: full, Device: device(v.r.UserAgent()), Address: v.from(),
	}, record)
	v.user = u
	return err
}
