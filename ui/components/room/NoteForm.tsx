'use client'

import { type FormEvent, useRef, useState } from 'react'
import { Button } from '@/components/ui/Button'
import { useActions } from '@/lib/actions'
import { useNote } from '@/lib/api/mutations'
import { useWhyNot } from '@/lib/may'

export function NoteForm({ incidentId }: { incidentId: number }) {
  const [text, setText] = useState('')
  const field = useRef<HTMLInputElement>(null)
  const note = useNote(incidentId)
  const notMine = useWhyNot('responder')
  const isReady = notMine === '' && text.trim() !== '' && !note.isPending
  useActions([
    { id: 'note', title: 'Write a note', group: 'Incident', keys: 'n', disabledReason: notMine, run: () => field.current?.focus() },
  ])

  function onSubmit(event: FormEvent): void {
    event.preventDefault()
    if (isReady) note.mutate(text.trim(), { onSuccess: () => setText('') })
  }

  return (
    <form onSubmit={onSubmit} className="flex gap-2 border-t p-2">
      <input
        ref={field}
        value={text}
        onChange={(event) => setText(event.target.value)}
        maxLength={2000}
        aria-label="Note"
        disabled={notMine !== ''}
        placeholder={notMine || 'Add a note'}
        className="h-8 min-w-0 flex-1 rounded-md border bg-bg px-2 placeholder:text-fg-3 max-sm:h-11"
      />
      <Button type="submit" disabled={!isReady}>
        Add
      </Button>
    </form>
  )
}
