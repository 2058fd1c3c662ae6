import { clsx } from 'clsx'

/** The keys of an action, each in its box; only where there is a keyboard. */
export function Kbd({ keys, className }: { keys: string; className?: string }) {
  return (
    <span className={clsx('inline-flex gap-0.5 max-sm:hidden', className)} aria-hidden>
      {keys.split(' ').map((key) => (
        <kbd
          key={key}
          className="grid h-4.5 min-w-4.5 place-items-center rounded border border-current/25 px-1 text-tiny leading-none opacity-80"
        >
          {key}
        </kbd>
      ))}
    </span>
  )
}
