'use client'

import { ClipboardCopy, UserCheck } from 'lucide-react'
import { useState } from 'react'
import { Badge, SeverityBadge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Clock } from '@/components/ui/Clock'
import { Kbd } from '@/components/ui/Kbd'
import { useActions } from '@/lib/actions'
import { readPostmortem, useAcknowledge } from '@/lib/api/mutations'
import type { Incident, RoomView } from '@/lib/api/types'
import { copy } from '@/lib/clipboard'
import { duration, incidentName, objectName } from '@/lib/format'
import { useWhyNot } from '@/lib/may'
import { canMove } from '@/lib/moves'
import { toast } from '@/lib/toasts'
import { ResolveDialog } from './ResolveDialog'
import { Stepper } from './Stepper'
import { Summary } from './Summary'

export function RoomHeader({ room }: { room: RoomView }) {
  const { incident } = room
  const isOpen = incident.status !== 'resolved'
  return (
    <section aria-label="Incident" className="overflow-clip rounded-card border bg-panel">
      <div className="flex flex-wrap items-start gap-x-6 gap-y-2 p-3">
        <div className="min-w-0 flex-[1_1_26rem]">
          <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-meta text-fg-2">
            <SeverityBadge severity={incident.severity} isOpen={isOpen} />
            <span className="mono text-fg-3">{incidentName(incident.id)}</span>
            <span className="min-w-0 break-all">
              {objectName(incident.workload)} · {incident.cluster}
            </span>
            <Badge tone={isOpen ? 'info' : 'ok'}>
              <span role="status" data-testid="stage">
                {room.stage}
              </span>
            </Badge>
          </p>
          <h1 className="mt-1 text-title font-semibold tracking-tight break-words">{incident.title}</h1>
          <Summary room={room} />
        </div>
        <div className="flex items-start gap-2 max-sm:w-full max-sm:items-center">
          <TimeToResolve incident={incident} />
          <HeaderActions incident={incident} />
        </div>
      </div>
      <Stepper room={room} />
    </section>
  )
}

function TimeToResolve({ incident }: { incident: Incident }) {
  return (
    <div className="mr-1 text-right whitespace-nowrap max-sm:mr-auto max-sm:text-left">
      <p className="text-meta text-fg-3">{incident.mttr_seconds === null ? 'Open for' : 'Time to resolve'}</p>
      {incident.mttr_seconds === null ? (
        <Clock sinceUs={incident.first_signal_us} className="mono text-[1.0625rem] font-semibold" />
      ) : (
        <p data-testid="mttr" className="mono text-[1.0625rem] font-semibold text-ok">
          {duration(incident.mttr_seconds)}
        </p>
      )}
    </div>
  )
}

function HeaderActions({ incident }: { incident: Incident }) {
  const [isResolving, setResolving] = useState(false)
  const acknowledge = useAcknowledge(incident.id)
  const notMine = useWhyNot('responder')
  const isOpen = incident.status !== 'resolved'
  const noAck = incident.acknowledged_us !== null ? 'acknowledged already' : isOpen ? '' : 'it is resolved'
  const noResolve = canMove(incident.status, 'resolved') ? '' : 'it is resolved'
  useActions([
    { id: 'ack', title: 'Acknowledge', group: 'Incident', keys: 'k', disabledReason: noAck || notMine, run: () => acknowledge.mutate() },
    { id: 'resolve', title: 'Resolve by hand', group: 'Incident', keys: 'r', disabledReason: noResolve || notMine, run: () => setResolving(true) },
    { id: 'postmortem', title: 'Copy the postmortem as Markdown', group: 'Incident', keys: 'm', run: () => void copyPostmortem(incident.id) },
  ])
  return (
    <>
      <Button
        onClick={() => void copyPostmortem(incident.id)}
        title="Copy the postmortem as Markdown"
        aria-label="Copy postmortem"
        className="max-xl:w-8 max-xl:px-0 max-sm:w-11"
      >
        <ClipboardCopy className="size-3.5" aria-hidden />
        <span className="max-xl:sr-only">Copy postmortem</span>
      </Button>
      {noAck === '' && (
        <Button
          onClick={() => acknowledge.mutate()}
          disabled={notMine !== '' || acknowledge.isPending}
          title={notMine || undefined}
        >
          <UserCheck className="size-3.5 max-sm:hidden" aria-hidden /> Acknowledge <Kbd keys="k" />
        </Button>
      )}
      {noResolve === '' && (
        <Button onClick={() => setResolving(true)} disabled={notMine !== ''} title={notMine || undefined}>
          Resolve <Kbd keys="r" />
        </Button>
      )}
      <ResolveDialog incident={incident} isOpen={isResolving} onOpenChange={setResolving} />
    </>
  )
}

async function copyPostmortem(id: number): Promise<void> {
  try {
    await copy(await readPostmortem(id), 'postmortem')
  } catch (error) {
    toast(error instanceof Error ? error.message : 'No postmortem', { isError: true })
  }
}
