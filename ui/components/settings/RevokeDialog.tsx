'use client'

import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { ConfirmDialog } from '@/components/ui/ConfirmDialog'
import { useRevokeToken } from '@/lib/api/mutations'
import { meQuery } from '@/lib/api/queries'
import type { TokenView } from '@/lib/api/types'
import { TextField } from './Field'

interface RevokeDialogProps {
  token: TokenView
  onClose: () => void
}

/** Says whom it shuts out before it does. */
export function RevokeDialog({ token, onClose }: RevokeDialogProps) {
  const { data: me } = useQuery(meQuery())
  const [reason, setReason] = useState('')
  const revoke = useRevokeToken()
  const isOwn = token.kind === 'person' && token.name === me?.name && me.via === 'token'
  return (
    <ConfirmDialog
      isOpen
      onOpenChange={onClose}
      title={`Revoke the token of ${token.name}?`}
      confirm="Revoke token"
      look="danger"
      isBusy={revoke.isPending}
      onConfirm={() => revoke.mutate({ id: token.id, reason: reason.trim() }, { onSettled: onClose })}
    >
      <p>
        {token.kind === 'sender'
          ? 'What it sends is refused from then on, until it has another.'
          : 'Everybody who came in with it is signed out.'}{' '}
        It cannot be undone.
      </p>
      {isOwn && <p className="font-medium text-warn">You came in with it yourself: you will be signed out.</p>}
      <TextField label="Why? (optional)" value={reason} onChange={setReason} maxLength={2000} />
    </ConfirmDialog>
  )
}
