package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "hello/clusterv1"
)

const (
	ttl                   = 10 * time.Second
	shortestWait          = 500 * time.Millisecond
	longestWait           = 15 * time.Second
	longestWaitToRegister = 250 * time.Millisecond
)

var (
	errExpired    = errors.New("session is over")
	errSuperseded = errors.New("replaced by a newer incarnation")
)

// session keeps a server registered while its Run lasts.
type session struct {
	registry pb.RegistryServiceClient
	server   *pb.Server
	id       string // empty: none is held
}

// Run returns once ctx is done, and has unregistered the server by then, or
// when a newer incarnation of it was registered.
func (s *session) Run(ctx context.Context) error {
	wait, atOnce := shortestWait, true
	for {
		err := s.register(ctx)
		if err == nil {
			err = s.keepAlive(ctx, func() { wait, atOnce = shortestWait, true })
		}
		pause := between(wait/2, wait)
		wait = min(2*wait, longestWait)
		switch {
		case ctx.Err() != nil:
			return s.unregister()
		case errors.Is(err, errSuperseded) || status.Code(err) == codes.FailedPrecondition:
			return errSuperseded
		case errors.Is(err, errExpired) || status.Code(err) == codes.NotFound:
			s.id = ""
			if atOnce { // clusterd has just answered
				pause, wait, atOnce = between(0, longestWaitToRegister), shortestWait, false
			}
		}
		log.Printf("clusterd: %v", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (s *session) register(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := s.registry.RegisterServer(ctx, &pb.RegisterServerRequest{
		Server: s.server, Ttl: durationpb.New(ttl), SessionId: s.id})
	if err == nil {
		s.id = answer.Registration.SessionId
	}
	return err
}

// keepAlive returns why it could not go on.
func (s *session) keepAlive(ctx context.Context, alive func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.registry.KeepAlive(ctx)
	if err != nil {
		return err
	}
	pulse := &pb.KeepAliveRequest{SessionId: s.id}
	var answered atomic.Bool
	answered.Store(true)
	go func() {
		defer cancel() // clusterd is silent, or the stream has ended
		for answered.Swap(false) && stream.Send(pulse) == nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(between(ttl*3/10, ttl*11/30)):
			}
		}
	}()
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		answered.Store(true)
		if failure := answer.GetError(); failure == nil {
			alive()
		} else if failure.Reason == "SESSION_SUPERSEDED" {
			return errSuperseded
		} else {
			return fmt.Errorf("%w: %s", errExpired, failure.Message)
		}
	}
}

func (s *session) unregister() error {
	if s.id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_, err := s.registry.UnregisterServer(ctx, &pb.UnregisterServerRequest{
		Type: s.server.Type, ServerId: s.server.ServerId, SessionId: s.id})
	return err
}

func between(low, high time.Duration) time.Duration {
	return low + time.Duration(rand.Int63n(int64(high-low)))
}

func min(a, b time.Duration) time.Duration {
	if a < b {
		return a
	}
	return b
}
