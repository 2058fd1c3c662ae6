'use client'

import { X } from 'lucide-react'
import { Dialog } from 'radix-ui'
import type { ReactNode } from 'react'

interface ModalProps {
  isOpen: boolean
  onOpenChange: (isOpen: boolean) => void
  title: string
  description: string
  children: ReactNode
}

/** Something to fill in or to read, over the page. */
export function Modal({ isOpen, onOpenChange, title, description, children }: ModalProps) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-scrim" />
        <Dialog.Content className="appear fixed inset-x-3 top-1/2 z-50 mx-auto max-h-[85dvh] max-w-lg -translate-y-1/2 overflow-y-auto rounded-card border border-line-strong bg-panel p-4 shadow-lift">
          <Dialog.Title className="pr-8 text-lead font-semibold">{title}</Dialog.Title>
          <Dialog.Description className="mt-1 text-fg-2">{description}</Dialog.Description>
          <div className="mt-3">{children}</div>
          <Dialog.Close
            aria-label="Close"
            className="absolute top-3 right-3 grid size-7 place-items-center rounded-md text-fg-3 hover:bg-raised hover:text-fg max-sm:size-11"
          >
            <X className="size-4" aria-hidden />
          </Dialog.Close>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
