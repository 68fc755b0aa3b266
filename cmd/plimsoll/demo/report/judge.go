// SPDX-License-Identifier: Apache-2.0

package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/cmd/plimsoll/human"
)

const (
	// enough is the share of the needed replicas that counts as following: an HPA does nothing within its tolerance
	// of 10 %, which is down to 0.91.
	enough = 0.9
	// allowedBehind is how long after the users the replicas may come, without the time that a pod takes to start.
	allowedBehind = 30 * time.Second
	// moment is the share of the day for which users must be there to count as the peak: what came and went between
	// two readings cannot be followed.
	moment = 0.05
	// leastRise is by what factor the need must grow for a day to prove anything.
	leastRise = 2
	// leftOver is the share of the day's swing that may still be there at its end.
	leftOver = 0.15
)

// Verdict is what a day showed.
type Verdict struct {
	Reasons []string // why the HPA did not follow; empty: it did

	MostUsers  int
	Behind     time.Duration // the longest time by which the replicas were late
	Rise, Fall *time.Duration
	AgeMedian  time.Duration
	AgeMost    time.Duration
	NoValue    int // samples for which the metrics API had no value
}

// AllowedBehind is how long after the users the replicas may come.
func (t Target) AllowedBehind() time.Duration { return allowedBehind + t.Startup }

// Judge judges samples in the order of their times. Pods that a floor holds are not the HPA's to remove.
func Judge(samples []Sample, t Target) Verdict {
	v := Verdict{}
	v.measure(samples, t)
	if len(samples) < 10 {
		v.Reasons = append(v.Reasons, fmt.Sprintf("there are only %d observations, too few to judge", len(samples)))
		return v
	}
	first, last := samples[0], samples[len(samples)-1]
	crowd := lasting(samples)
	peak, mostReady := t.Need(crowd), Measure(samples, t).MostReady
	if peak < leastRise*t.Need(first.Users) {
		v.because("the users never rose enough to need more replicas: at most %s", human.Count(v.MostUsers))
	}
	if float64(mostReady) < enough*peak {
		v.because("at the peak %d pods were ready, but %s users need %s", mostReady, human.Count(crowd), human.Number(peak))
	}
	end := t.Need(last.Users)
	if most := max(end, float64(last.Floor)) + 1 + leftOver*(peak-end); float64(last.Ready) > most {
		v.because("at the end %d pods were still there, but %s users need %s", last.Ready, human.Count(last.Users), human.Number(end))
	}
	if v.Behind > t.AllowedBehind() {
		v.because("the replicas were %s behind the users, more than %s", human.Age(v.Behind), human.Age(t.AllowedBehind()))
	}
	return v
}

func (v *Verdict) because(format string, args ...any) {
	v.Reasons = append(v.Reasons, fmt.Sprintf(format, args...))
}

func (v *Verdict) measure(samples []Sample, t Target) {
	var ages []time.Duration
	for i, s := range samples {
		v.MostUsers = max(v.MostUsers, s.Users)
		v.Behind = max(v.Behind, behind(samples[:i+1], t))
		if s.HasValue {
			ages = append(ages, s.Age)
		} else {
			v.NoValue++
		}
	}
	if len(ages) > 0 {
		slices.Sort(ages)
		v.AgeMedian, v.AgeMost = ages[len(ages)/2], ages[len(ages)-1]
	}
	if len(samples) > 0 {
		v.Rise, v.Fall = delays(samples)
	}
}

// behind is how late the replicas are at the last sample: the time since their number was last enough for the users
// who were there then.
func behind(samples []Sample, t Target) time.Duration {
	last := samples[len(samples)-1]
	for _, s := range slices.Backward(samples) {
		if enough*t.Need(s.Users) <= float64(last.Ready) {
			return last.At - s.At
		}
	}
	return last.At - samples[0].At
}

// lasting is the number of users that were there at least for a moment, all its parts together.
func lasting(samples []Sample) int {
	numbers := make([]int, 0, len(samples))
	for _, s := range samples {
		numbers = append(numbers, s.Users)
	}
	slices.Sort(numbers)
	return numbers[len(numbers)-1-int(moment*float64(len(numbers)))]
}
