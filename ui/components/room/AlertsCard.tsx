import { clsx } from 'clsx'
import { Card } from '@/components/ui/Card'
import { Time } from '@/components/ui/Time'
import type { Alert } from '@/lib/api/types'

/** Everything that fired and belongs to this incident: one cause, and its symptoms under it. */
export function AlertsCard({ alerts, isOpen }: { alerts: Alert[]; isOpen: boolean }) {
  if (alerts.length === 0) return null
  const firing = alerts.filter((alert) => alert.is_firing).length
  return (
    <Card
      title="Alerts"
      aside={isOpen ? `${firing} firing of ${alerts.length}` : alerts.length}
      className="order-3 lg:order-none"
    >
      <ul className="divide-y">
        {alerts.map((alert) => (
          <Item key={alert.fingerprint} alert={alert} isFiring={isOpen && alert.is_firing} />
        ))}
      </ul>
    </Card>
  )
}

function Item({ alert, isFiring }: { alert: Alert; isFiring: boolean }) {
  const place = [alert.pod || alert.node || alert.workload.name, alert.container].filter(Boolean)
  return (
    <li className="grid grid-cols-[1rem_minmax(0,1fr)_auto] gap-x-2.5 px-3 py-2">
      <span
        aria-hidden
        className={clsx('mt-1.5 ml-1 size-2 rounded-full', isFiring ? 'bg-crit-fill' : 'border border-line-strong')}
      />
      <div className="min-w-0">
        <p className="break-words">
          {alert.title}
          {alert.count > 1 && <span className="mono text-meta text-fg-2"> ×{alert.count}</span>}
        </p>
        <p className="text-meta break-words text-fg-3">
          {isFiring ? 'firing' : 'over'} · {alert.rule} · from {alert.source} ·{' '}
          <span className="mono">{place.join('/')}</span>
        </p>
      </div>
      <Time us={alert.last_us} look="relative" className="text-meta text-fg-3" />
    </li>
  )
}
