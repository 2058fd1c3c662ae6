'use client'

import { useQuery } from '@tanstack/react-query'
import { Flame, ShieldCheck } from 'lucide-react'
import { useId, useState } from 'react'
import { Badge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { Card } from '@/components/ui/Card'
import { ConfirmDialog } from '@/components/ui/ConfirmDialog'
import { Empty, Loaded, RowSkeletons } from '@/components/ui/States'
import { useChaos } from '@/lib/api/mutations'
import { chaosQuery, statusQuery } from '@/lib/api/queries'
import type { ChaosTarget } from '@/lib/api/types'
import { useWhyNot } from '@/lib/may'
import { WhatFollows } from './WhatFollows'

/** Breaks a demo workload on purpose, to see the whole loop at work. */
export function ChaosPage() {
  const query = useQuery(chaosQuery())
  const [chosen, setChosen] = useState<ChaosTarget | null>(null)
  const chaos = useChaos()
  return (
    <div className="max-w-4xl space-y-3">
      <p className="max-w-3xl text-fg-2">
        One click lowers a workload’s memory limit below what it needs. The kernel kills it, the
        co-pilot sees it, finds the cause and proposes the fix. Only workloads in namespaces labelled
        as demo can be broken.
      </p>
      {chaos.data && <WhatFollows started={chaos.data} />}
      <Card title="Targets" aside={query.data?.targets.length}>
        <Loaded query={query} what="the targets" skeleton={<RowSkeletons rows={2} height="h-16" />}>
          {({ targets, reason }) =>
            targets.length === 0 ? (
              <Empty title="There is nothing that may be broken" icon={<ShieldCheck className="size-5 text-ok" aria-hidden />}>
                {reason}
              </Empty>
            ) : (
              <ul className="divide-y">
                {targets.map((target) => (
                  <Target key={`${target.object.namespace}/${target.object.name}`} target={target} onBreak={() => setChosen(target)} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
      {chosen && (
        <Question
          target={chosen}
          isBusy={chaos.isPending}
          onClose={() => setChosen(null)}
          onConfirm={() =>
            chaos.mutate(
              { namespace: chosen.object.namespace, name: chosen.object.name },
              { onSettled: () => setChosen(null) },
            )
          }
        />
      )}
    </div>
  )
}

function Target({ target, onBreak }: { target: ChaosTarget; onBreak: () => void }) {
  const nameId = useId()
  const notMine = useWhyNot('admin')
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-3 py-3">
      <span className="min-w-0 flex-1">
        <span className="block font-semibold break-words">
          <span id={nameId}>{target.object.name}</span> {target.is_broken && <Badge tone="warn">broken now</Badge>}
        </span>
        <span className="block text-meta break-words text-fg-3">
          {target.object.kind} in <span className="mono">{target.object.namespace}</span>, container{' '}
          <span className="mono">{target.container}</span>, memory limit{' '}
          <span className="mono">{target.limit}</span>
        </span>
        {notMine && <span className="block text-meta text-warn">{notMine}</span>}
        {target.is_broken && (
          <span className="block text-meta text-fg-2">It is not healthy now; fix it first.</span>
        )}
      </span>
      <Button look="danger" disabled={notMine !== '' || target.is_broken} onClick={onBreak} aria-describedby={nameId}>
        <Flame className="size-4" aria-hidden /> Break it
      </Button>
    </li>
  )
}

interface QuestionProps {
  target: ChaosTarget
  isBusy: boolean
  onClose: () => void
  onConfirm: () => void
}

function Question({ target, isBusy, onClose, onConfirm }: QuestionProps) {
  const { data: status } = useQuery(statusQuery())
  return (
    <ConfirmDialog
      isOpen
      onOpenChange={onClose}
      title={`Break ${target.object.name}?`}
      confirm="Break it now"
      look="danger"
      isBusy={isBusy}
      onConfirm={onConfirm}
    >
      <p>
        In cluster <b className="text-fg">{status?.cluster}</b>, the memory limit of{' '}
        <span className="mono text-fg">
          {target.object.namespace}/{target.object.name}
        </span>{' '}
        goes from <span className="mono text-fg">{target.limit}</span> to{' '}
        <span className="mono text-fg">{target.chaos_limit}</span>. Its pods will be killed until that
        is fixed. You are recorded as the one who did it.
      </p>
    </ConfirmDialog>
  )
}
