"""The spot wire protocol of one exchange, as its public documentation describes it.

Addresses, parameters, signatures, filters, codes and words are the real ones, so that stock clients
work. It differs on purpose in this:

- a client order id is refused for ever ("Duplicate order sent."), not only while its order is open:
  a client that sends twice is always found out;
- amounts are never rounded to 8 decimal places: a cost is exactly price x quantity, with more
  places where the grid needs them; fees are rounded up to 8;
- a market order that meets nobody is refused (-1112);
- a ``withdrawOrderId`` is refused a second time (-4104); what is sent to an address of nobody comes
  back, and the withdrawal is shown as failed; ``amount`` in the history is what arrives, and
  ``transactionFee`` comes on top of it, as on the real exchange;
- a session over a WebSocket may log on with an HMAC key;
- there are no rate limits, stop orders, icebergs, order lists, margin accounts or derivatives; the
  lists of those that stock clients ask for are empty.
"""
