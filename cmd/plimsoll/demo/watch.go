// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/replay"
	"github.com/plimsoll/plimsoll/scaler/situation"
)

// boundsLog is what an HPA's bounds were, and when the API server told so, which is when it tells the HPA controller too.
type boundsLog struct {
	mu   sync.Mutex
	list []replay.Bounds
}

// watchBounds notes the bounds of the HPAs in a namespace, which has one, until the context ends.
func watchBounds(ctx context.Context, client kubernetes.Interface, namespace string) (*boundsLog, error) {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace))
	log := &boundsLog{}
	handler, err := factory.Autoscaling().V2().HorizontalPodAutoscalers().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: log.saw, UpdateFunc: func(_, object any) { log.saw(object) },
	})
	if err != nil {
		return nil, fmt.Errorf("the HPA of namespace %s cannot be watched: %w", namespace, err)
	}
	factory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), handler.HasSynced) {
		return nil, fmt.Errorf("the HPA of namespace %s cannot be watched: %w", namespace, context.Cause(ctx))
	}
	return log, nil
}

func (l *boundsLog) saw(object any) {
	hpa, ok := object.(*autoscalingv2.HorizontalPodAutoscaler)
	if !ok {
		return
	}
	live := situation.LiveBounds(hpa)
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.list); n == 0 || l.list[n-1].Bounds != live {
		l.list = append(l.list, replay.Bounds{Time: time.Now(), Bounds: live})
	}
}

func (l *boundsLog) all() []replay.Bounds {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}
