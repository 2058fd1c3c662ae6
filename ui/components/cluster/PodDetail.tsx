import { ArrowRight } from 'lucide-react'
import { PageLink } from '@/components/ui/PageLink'
import { Badge } from '@/components/ui/Badge'
import type { PodView } from '@/lib/api/types'
import { bytes, incidentName, percent, plural } from '@/lib/format'
import { HEALTH } from '@/lib/labels'

/** Where a pod leads: to its incident, or to what it says. */
export function podHref(namespace: string, pod: PodView): string {
  if (pod.incident_id !== null) return `/incident/?id=${pod.incident_id}`
  return `/search/?q=${encodeURIComponent(`ns:${namespace} ${pod.name}`)}`
}

/** The pod under the pointer or the focus, on one line. */
export function PodDetail({ namespace, pod }: { namespace: string; pod: PodView }) {
  const { label, tone } = HEALTH[pod.health]
  return (
    <div className="-mt-px flex min-h-11 flex-wrap items-center gap-x-3 gap-y-1.5 @3xl:flex-nowrap border-t px-3 py-2 text-meta">
      <Badge tone={tone}>{label}</Badge>
      <span className="min-w-0 mono break-all @3xl:truncate">
        {namespace}/{pod.name}
      </span>
      {pod.reason && <span className="min-w-0 text-fg-2 @3xl:truncate">{pod.reason}</span>}
      <span className="whitespace-nowrap text-fg-3 tabular">{plural(pod.restarts, 'restart')}</span>
      <Memory used={pod.memory_bytes} limit={pod.memory_limit_bytes} />
      <PageLink
        href={podHref(namespace, pod)}
        className="ml-auto inline-flex items-center whitespace-nowrap gap-1 font-medium text-fg-2 hover:text-fg max-sm:min-h-11"
      >
        {pod.incident_id === null ? 'Search its logs' : `Open ${incidentName(pod.incident_id)}`}
        <ArrowRight className="size-3.5" aria-hidden />
      </PageLink>
    </div>
  )
}

function Memory({ used, limit }: { used: number | null; limit: number | null }) {
  if (limit === null) return used === null ? null : <span className="text-fg-3">{bytes(used)}, no limit</span>
  if (used === null) return <span className="text-fg-3">limit {bytes(limit)}</span>
  const share = Math.min(1, used / limit)
  const fill = share > 0.9 ? 'bg-crit-fill' : share > 0.75 ? 'bg-warn-fill' : 'bg-ok-fill'
  return (
    <span className="flex items-center gap-2 whitespace-nowrap text-fg-3 tabular">
      mem
      <span className="h-1 w-14 overflow-hidden rounded-full bg-raised" aria-hidden>
        <span className={`block h-full ${fill}`} style={{ width: percent(share) }} />
      </span>
      {percent(used / limit)} of {bytes(limit)}
    </span>
  )
}
