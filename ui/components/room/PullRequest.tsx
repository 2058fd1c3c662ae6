'use client'

import { ExternalLink, GitMerge, GitPullRequest } from 'lucide-react'
import { Badge } from '@/components/ui/Badge'
import { Button } from '@/components/ui/Button'
import { useMerge } from '@/lib/api/mutations'
import { useWhyNot } from '@/lib/may'
import type { ProposalView, PullRequestView } from '@/lib/api/types'
import { diffRows } from '@/lib/diff'
import { PULL_STAGE } from '@/lib/labels'
import { Diff } from './Diff'

interface PullRequestProps {
  incidentId: number
  proposal: ProposalView
  pull: PullRequestView
}

/** The fix as a commit: where it goes, what it changes in Git, and how far it has come. */
export function PullRequest({ incidentId, proposal, pull }: PullRequestProps) {
  const { label, tone } = PULL_STAGE[pull.stage]
  const rows = diffRows(pull.diff)
  return (
    <section aria-label="Pull request" className="border-t">
      <div className="flex flex-wrap items-center gap-2 px-3 py-2">
        <GitPullRequest className="size-4 text-fg-3" aria-hidden />
        <h4 className="font-semibold">
          <Name pull={pull} />
        </h4>
        <Badge tone={tone}>{label}</Badge>
        {pull.can_merge && <Merge incidentId={incidentId} proposal={proposal} />}
      </div>
      <p className="mono px-3 pb-2 text-meta break-words text-fg-2">
        {pull.branch || 'a new branch'} → {pull.base} · {pull.files.join(', ')}
      </p>
      {pull.notes.map((note, index) => (
        <p key={index} className="bg-warn-soft px-3 py-1 text-meta break-words text-warn">
          {note}
        </p>
      ))}
      {rows.length > 0 && <Diff rows={rows} />}
    </section>
  )
}

function Name({ pull }: { pull: PullRequestView }) {
  const name = pull.number === null ? `Pull request to ${pull.repository}` : `${pull.repository} #${pull.number}`
  if (!/^https?:\/\//.test(pull.url)) return <span className="break-words">{name}</span>
  return (
    <a href={pull.url} target="_blank" rel="noreferrer" className="break-words underline">
      {name} <ExternalLink className="inline size-3" aria-label="opens another page" />
    </a>
  )
}

function Merge({ incidentId, proposal }: { incidentId: number; proposal: ProposalView }) {
  const merge = useMerge(incidentId)
  const notMine = useWhyNot('responder')
  return (
    <Button
      onClick={() => merge.mutate(proposal)}
      disabled={notMine !== '' || merge.isPending}
      title={notMine || undefined}
      className="ml-auto"
    >
      <GitMerge className="size-3.5" aria-hidden /> Merge (simulation)
    </Button>
  )
}
