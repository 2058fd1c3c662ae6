'use client'

import { type FormEvent, useId, useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Modal } from '@/components/ui/Modal'
import { useReject } from '@/lib/api/mutations'
import type { ProposalView } from '@/lib/api/types'

interface RejectDialogProps {
  incidentId: number
  proposal: ProposalView
  isOpen: boolean
  onOpenChange: (isOpen: boolean) => void
}

export function RejectDialog({ incidentId, proposal, isOpen, onOpenChange }: RejectDialogProps) {
  const [reason, setReason] = useState('')
  const field = useId()
  const reject = useReject(incidentId)

  function onSubmit(event: FormEvent): void {
    event.preventDefault()
    reject.mutate({ id: proposal.id, reason: reason.trim() }, { onSuccess: () => onOpenChange(false) })
  }

  return (
    <Modal
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      title="Reject this change"
      description={`Nothing is changed. “${proposal.title}” is not proposed again for this state.`}
    >
      <form onSubmit={onSubmit} className="space-y-3">
        <label htmlFor={field} className="block text-meta font-medium text-fg-2">
          Why? (optional)
        </label>
        <textarea
          id={field}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
          rows={2}
          maxLength={2000}
          className="w-full rounded-md border border-line-strong bg-bg p-2"
        />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" look="danger" disabled={reject.isPending}>
            Reject change
          </Button>
        </div>
      </form>
    </Modal>
  )
}
