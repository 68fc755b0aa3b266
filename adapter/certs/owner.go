// SPDX-License-Identifier: Apache-2.0

package certs

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// CheckOwner makes sure that none of the APIServices leads to another Service than ours; one that does not exist yet is
// no error. There is one owner for each API group version, and taking one away from a running adapter would change
// every HPA that reads it.
func CheckOwner(ctx context.Context, config *rest.Config, service types.NamespacedName, names []string) error {
	c, err := newCluster(Options{RESTConfig: config, Service: service, APIServices: names})
	if err != nil {
		return err
	}
	_, foreign, err := c.apiServices(ctx)
	if err != nil {
		return err
	}
	if len(foreign) == 0 {
		return nil
	}
	return fmt.Errorf("the metrics APIs have another owner: APIService %s; uninstall that adapter first, choose other APIs "+
		"with --apis, or serve beside it with the overlay shadow", strings.Join(foreign, ", "))
}

func ownerOf(service *apiregistrationv1.APIService) string {
	if service.Spec.Service == nil {
		return "the API server itself"
	}
	return types.NamespacedName{Namespace: service.Spec.Service.Namespace, Name: service.Spec.Service.Name}.String()
}
