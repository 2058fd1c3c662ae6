'use client'

import { AlertDialog } from 'radix-ui'
import { type ReactNode, useRef } from 'react'
import { Button } from './Button'

interface ConfirmDialogProps {
  isOpen: boolean
  onOpenChange: (isOpen: boolean) => void
  title: string
  children: ReactNode
  confirm: string
  look?: 'primary' | 'danger'
  isBusy: boolean
  onConfirm: () => void
}

/** The question before anything changes; Cancel has the focus, so that Enter changes nothing. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const cancel = useRef<HTMLButtonElement>(null)
  return (
    <AlertDialog.Root open={props.isOpen} onOpenChange={props.onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <AlertDialog.Content
          onOpenAutoFocus={(event) => {
            event.preventDefault()
            cancel.current?.focus()
          }}
          className="appear fixed inset-x-3 top-1/2 z-50 mx-auto max-h-[85dvh] max-w-lg -translate-y-1/2 overflow-y-auto rounded-card border border-line-strong bg-panel p-4 shadow-lift"
        >
          <AlertDialog.Title className="text-lead font-semibold">{props.title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="mt-2 space-y-3 text-fg-2">{props.children}</div>
          </AlertDialog.Description>
          <div className="mt-4 flex justify-end gap-2">
            <Button ref={cancel} className="focus:outline-2 focus:outline-offset-2 focus:outline-focus" onClick={() => props.onOpenChange(false)}>
              Cancel
            </Button>
            <Button look={props.look ?? 'primary'} disabled={props.isBusy} onClick={props.onConfirm}>
              {props.confirm}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
