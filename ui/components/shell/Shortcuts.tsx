'use client'

import { useState } from 'react'
import { Kbd } from '@/components/ui/Kbd'
import { Modal } from '@/components/ui/Modal'
import { allActions } from '@/lib/actions'

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const [actions] = useState(allActions)
  return (
    <Modal
      isOpen
      onOpenChange={onClose}
      title="Keyboard shortcuts"
      description="They do nothing while you type. Ctrl K opens the command menu with all of them."
    >
      <dl className="divide-y">
        {actions.map((action) => (
          <div key={action.id} className="flex min-h-8 items-center justify-between gap-4">
            <dt className={action.disabledReason ? 'text-fg-3' : ''}>{action.title}</dt>
            <dd>
              <Kbd keys={action.keys} />
              <span className="sr-only">{action.keys}</span>
            </dd>
          </div>
        ))}
      </dl>
    </Modal>
  )
}
