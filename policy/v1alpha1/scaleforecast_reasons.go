// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// The reasons of a ScaleForecast's Ready condition. The set is closed: alerts and scripts may rely on it. Ready is
// True with the first (it works, whatever its mode), Unknown with the second and third, and False with the others.
const (
	ForecastTrusted   = "Trusted"
	ForecastLearning  = "Learning"
	ForecastProbation = "Probation"

	ForecastCoverageLow = "CoverageLow"
	ForecastNoGain      = "NoGain"
	ForecastTooWide     = "TooWide"

	ForecastInvalid         = "Invalid"
	ForecastNoTarget        = "NoTarget"
	ForecastTargetRefused   = "TargetRefused"
	ForecastDemandUnknown   = "DemandUnknown"
	ForecastNoData          = "NoData"
	ForecastQueryFailed     = "QueryFailed"
	ForecastStale           = "Stale"
	ForecastPaused          = "Paused"
	ForecastFloorCapped     = "FloorCapped"
	ForecastFloorNotReached = "FloorNotReached"
	ForecastReverted        = "Reverted"
	ForecastWriteFailed     = "WriteFailed"
)

// ForecastReasons lists the closed set, in the order in which a reader meets them.
func ForecastReasons() []string {
	return []string{
		ForecastTrusted, ForecastLearning, ForecastProbation,
		ForecastCoverageLow, ForecastNoGain, ForecastTooWide,
		ForecastInvalid, ForecastNoTarget, ForecastTargetRefused, ForecastDemandUnknown,
		ForecastNoData, ForecastQueryFailed, ForecastStale, ForecastPaused,
		ForecastFloorCapped, ForecastFloorNotReached, ForecastReverted, ForecastWriteFailed,
	}
}

// ForecastMeaning says in a sentence or two what a reason means and what to do about it; "" for another word.
func ForecastMeaning(reason string) string {
	switch reason {
	case ForecastTrusted:
		return "The bound covers what it promises and leaves less demand unserved than reacting. With mode Enforce its floor counts."
	case ForecastLearning:
		return "Too few outcomes are known to judge the forecast: it needs two days of the demand, which it also reads from the history of the source."
	case ForecastProbation:
		return "The forecast had lost its trust; its figures are good again and have to stay so for half a day."
	case ForecastCoverageLow:
		return "Demand exceeded the bound more often than promised, so the forecast moves nothing. It arms itself again when the figures are good."
	case ForecastNoGain:
		return "The bound leaves no less demand unserved than reacting does: the demand has no pattern to forecast. Use a schedule for what you know, and headroom."
	case ForecastTooWide:
		return "The bound is several times the demand: it comes in bursts that nothing foretells. Use a schedule for what you know, and headroom."
	case ForecastInvalid:
		return "The spec has a mistake that the API server could not see, such as a query that is no PromQL. The message names the field."
	case ForecastNoTarget:
		return "The namespace has no HPA of the target's name."
	case ForecastTargetRefused:
		return "The HPA belongs to another controller, such as KEDA's. Change the bounds there; the message names the owner."
	default:
		return forecastTrouble(reason)
	}
}

func forecastTrouble(reason string) string {
	switch reason {
	case ForecastDemandUnknown:
		return "The HPA has no single metric with an AverageValue target, so the demand cannot be derived from it or divided by it. Set spec.query, or give the HPA such a target."
	case ForecastNoData:
		return "The query has no series, or several. Run it against the source; sum() makes one of several."
	case ForecastQueryFailed:
		return "The metric source could not be asked or refused the query. The message has its words. The floor stays as it was."
	case ForecastStale:
		return "No new value of the demand has come for longer than the lead time. The floor stays as it was until values come again."
	case ForecastPaused:
		return "The HPA or the namespace has the annotation plimsoll.dev/paused, so its bounds stay where they are."
	case ForecastFloorCapped:
		return "The floor is above the HPA's maxReplicas, or more than maxIncreasePercent above what runs, and was capped there."
	case ForecastFloorNotReached:
		return "The HPA has the floor, but pods are pending or a quota is used up, so fewer are Ready."
	case ForecastReverted:
		return "Somebody else writes the HPA's bounds back, and Plimsoll has stopped rewriting them. Let GitOps tools ignore minReplicas; the message names the field manager."
	case ForecastWriteFailed:
		return "The API server refused to change the HPA. The message has its words."
	default:
		return ""
	}
}
