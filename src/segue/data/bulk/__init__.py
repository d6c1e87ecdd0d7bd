"""Big plain files of events, straight from bytes to codes and numbers; whatever is not plain takes the careful way."""
