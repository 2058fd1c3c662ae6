import { screen } from '@testing-library/react'
import { expect, test } from 'vitest'
import * as make from '../../mocks/fixtures.mjs'
import { fakeApi } from '../../tests/fakeApi'
import { show } from '../../tests/screen'
import { Operations } from './Operations'

const target = make.proposal(Date.now() * 1000).target

test('what is deleted and made anew is said in its order, with what exactly', () => {
  fakeApi({})
  show(
    <Operations
      operations={[
        { text: 'Delete Job shop/load', target, body: '' },
        { text: 'Create Job shop/load', target, body: 'kind: Job' },
      ]}
    />,
  )

  const steps = screen.getAllByRole('listitem').map((step) => step.textContent)
  expect(steps).toEqual(['1. Delete Job shop/load', '2. Create Job shop/loadWhat exactlykind: Job'])
})
