"""Files of an agency, read line by line and sent to the services that own their columns; every line gets a receipt."""
