'use client'

import { Copy } from 'lucide-react'
import { useActions } from '@/lib/actions'
import { copy } from '@/lib/clipboard'

/** The kubectl line that does the same, whole and ready to be pasted. */
export function Command({ command }: { command: string }) {
  const onCopy = () => void copy(command, 'kubectl command')
  useActions([
    { id: 'kubectl', title: 'Copy the kubectl command', group: 'Incident', keys: 'y', run: onCopy },
  ])
  return (
    <div className="flex items-start gap-2 border-t bg-bg px-3 py-2">
      <code tabIndex={0} className="max-h-24 min-w-0 flex-1 overflow-y-auto text-meta break-words whitespace-pre-wrap text-fg-2">
        {command.split(' ').map((word, index) => (
          // A word in one piece: a line must not break after the hyphens of `--limits`.
          <span key={index} className="inline-block max-w-full break-all">
            {word}
            {' '}
          </span>
        ))}
      </code>
      <button
        type="button"
        onClick={onCopy}
        aria-label="Copy the kubectl command"
        title="Copy the kubectl command (y)"
        className="grid size-7 shrink-0 place-items-center rounded-md border bg-panel text-fg-2 hover:bg-raised hover:text-fg max-sm:size-11"
      >
        <Copy className="size-3.5" aria-hidden />
      </button>
    </div>
  )
}
