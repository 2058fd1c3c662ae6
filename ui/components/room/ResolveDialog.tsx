'use client'

import { type FormEvent, useId, useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Modal } from '@/components/ui/Modal'
import { useResolve } from '@/lib/api/mutations'
import type { Incident } from '@/lib/api/types'
import { incidentName } from '@/lib/format'

interface ResolveDialogProps {
  incident: Incident
  isOpen: boolean
  onOpenChange: (isOpen: boolean) => void
}

export function ResolveDialog({ incident, isOpen, onOpenChange }: ResolveDialogProps) {
  const [text, setText] = useState('')
  const field = useId()
  const resolve = useResolve(incident.id)
  const isReady = text.trim() !== '' && !resolve.isPending

  function onSubmit(event: FormEvent): void {
    event.preventDefault()
    if (isReady) resolve.mutate(text.trim(), { onSuccess: () => onOpenChange(false) })
  }

  return (
    <Modal
      isOpen={isOpen}
      onOpenChange={onOpenChange}
      title={`Resolve ${incidentName(incident.id)}`}
      description="Nothing is changed in the cluster. What you write is remembered for the next incident like it."
    >
      <form onSubmit={onSubmit} className="space-y-3">
        <label htmlFor={field} className="block text-meta font-medium text-fg-2">
          What resolved it?
        </label>
        <textarea
          id={field}
          value={text}
          onChange={(event) => setText(event.target.value)}
          rows={3}
          maxLength={2000}
          className="w-full rounded-md border border-line-strong bg-bg p-2"
        />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button type="submit" look="primary" disabled={!isReady}>
            Resolve incident
          </Button>
        </div>
      </form>
    </Modal>
  )
}
