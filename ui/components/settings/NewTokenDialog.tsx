'use client'

import { type FormEvent, useState } from 'react'
import { Button } from '@/components/ui/Button'
import { Modal } from '@/components/ui/Modal'
import { useMakeToken } from '@/lib/api/mutations'
import type { Role, TokenMade } from '@/lib/api/types'
import { copy } from '@/lib/clipboard'
import { SelectField, TextField } from './Field'

const KINDS = [
  ['viewer', 'Viewer: reads'],
  ['responder', 'Responder: handles incidents'],
  ['admin', 'Admin: also breaks things on purpose, and says who comes in'],
  ['sender', 'Sender: only sends logs, metrics, traces and alerts'],
] as const

const ROLES: Role[] = ['viewer', 'responder', 'admin']

const TIMES = [
  ['8h', 'In 8 hours'],
  ['7d', 'In 7 days'],
  ['30d', 'In 30 days'],
  ['90d', 'In 90 days'],
  ['365d', 'In a year'],
  ['', 'Never'],
] as const

/** Asks for whom, then shows the token: this once. */
export function NewTokenDialog({ onClose }: { onClose: () => void }) {
  const make = useMakeToken()
  return (
    <Modal
      isOpen
      onOpenChange={onClose}
      title={make.data ? `The token of ${make.data.token.name}` : 'New access token'}
      description={
        make.data
          ? 'It is shown this once, and kept nowhere. Hand it over by a way that nobody else reads.'
          : 'It opens the co-pilot to whoever has it, until it expires or is revoked.'
      }
    >
      {make.data ? <Made made={make.data} onClose={onClose} /> : <Form make={make} onClose={onClose} />}
    </Modal>
  )
}

interface FormProps {
  make: ReturnType<typeof useMakeToken>
  onClose: () => void
}

function Form({ make, onClose }: FormProps) {
  const [name, setName] = useState('')
  const [kind, setKind] = useState('viewer')
  const [expires, setExpires] = useState('30d')
  const [reason, setReason] = useState('')

  function onSubmit(event: FormEvent): void {
    event.preventDefault()
    make.mutate({ name, role: ROLES.find((role) => role === kind) ?? null, expires, reason: reason.trim() })
  }

  return (
    <form onSubmit={onSubmit} className="space-y-3">
      <TextField label="Whose it is" value={name} onChange={setName} maxLength={128} isRequired />
      <SelectField label="What it opens" value={kind} onChange={setKind} options={KINDS} />
      <SelectField label="Expires" value={expires} onChange={setExpires} options={TIMES} />
      <TextField label="Why? (optional)" value={reason} onChange={setReason} maxLength={2000} />
      {make.error && (
        <p role="alert" className="break-words text-crit">
          {make.error.message}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>Cancel</Button>
        <Button type="submit" look="primary" disabled={make.isPending}>
          Make token
        </Button>
      </div>
    </form>
  )
}

function Made({ made: { token, secret }, onClose }: { made: TokenMade; onClose: () => void }) {
  return (
    <div className="space-y-3">
      <code className="mono block rounded-md border bg-bg p-2 break-all select-all">{secret}</code>
      <div className="flex flex-wrap justify-end gap-2">
        {token.kind === 'person' && (
          <Button onClick={() => void copy(`${location.origin}/?token=${secret}`, 'sign-in link')}>Copy sign-in link</Button>
        )}
        <Button look="primary" onClick={() => void copy(secret, 'token')}>
          Copy token
        </Button>
        <Button onClick={onClose}>Done</Button>
      </div>
    </div>
  )
}
